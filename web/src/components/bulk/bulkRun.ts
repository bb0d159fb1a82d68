/** An action on many jobs while it is under way. It belongs to the page and not to a view: closing a dialog ends nothing. */
import { useSyncExternalStore } from "react";
import { api, ApiError, data } from "@/api/client";
import type { JobSummary } from "@/api/types";
import type { Options, Verb } from "./bulk";
import { forget, markPending } from "./pending";

/** What became of one job. `unanswered`: the API did not say; it may have been done. */
export interface Outcome {
  readonly job: JobSummary;
  readonly kind: "done" | "refused" | "unanswered";
  readonly why: string | null;
}

export interface BulkRun {
  readonly verb: Verb;
  readonly jobs: readonly JobSummary[];
  readonly options: Options;
  readonly outcomes: readonly Outcome[];
  /** `stopped`: what had not begun is not done. */
  readonly state: "running" | "stopping" | "stopped" | "done";
  /** Why it stopped by itself; null otherwise. */
  readonly trouble: string | null;
}

/** So many requests at once: the browser has six connections, and others need some. */
const AT_ONCE = 4;
/** So many jobs without an answer one after the other, and it stops. */
const UNANSWERED = 5;

let run: BulkRun | null = null;
const listeners = new Set<() => void>();

function change(next: BulkRun | null): void {
  run = next;
  for (const listener of listeners) listener();
}

export function useBulkRun(): BulkRun | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => run,
  );
}

export function dismissRun(): void {
  if (run && isOver(run)) change(null);
}

export function stopRun(): void {
  if (run?.state === "running") change({ ...run, state: "stopping" });
}

export function isOver({ state }: BulkRun): boolean {
  return state === "done" || state === "stopped";
}

/** Begin. One action is under way at a time. */
export function startRun(verb: Verb, jobs: readonly JobSummary[], options: Options): void {
  if (run && !isOver(run)) return;
  change({ verb, jobs, options, outcomes: [], state: "running", trouble: null });
  const waiting = [...jobs];
  let unanswered = 0;
  window.addEventListener("beforeunload", askFirst);

  async function work(): Promise<void> {
    for (let job = waiting.shift(); job && run?.state === "running"; job = waiting.shift()) {
      markPending(job, verb);
      const outcome = await perform(verb, job, options);
      if (outcome.kind !== "done") forget(job.id);
      else if (verb === "delete") markPending(job, "deleted");
      unanswered = outcome.kind === "unanswered" ? unanswered + 1 : 0;
      const gaveUp = unanswered >= UNANSWERED && run.state === "running";
      change({
        ...run,
        outcomes: [...run.outcomes, outcome],
        ...(gaveUp
          ? { state: "stopping", trouble: `It stopped: ${UNANSWERED} requests in a row had no answer.` }
          : {}),
      });
    }
  }

  void Promise.all(Array.from({ length: AT_ONCE }, work)).then(() => {
    window.removeEventListener("beforeunload", askFirst);
    if (run) change({ ...run, state: run.outcomes.length < run.jobs.length ? "stopped" : "done" });
  });
}

/** The browser asks before it leaves the page, for that would stop it. */
function askFirst(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

async function perform(verb: Verb, job: JobSummary, { reason, terminate }: Options): Promise<Outcome> {
  const params = { path: { job_id: job.id } };
  const body = { terminate, ...(reason.trim() === "" ? {} : { reason: reason.trim() }) };
  try {
    if (verb === "cancel")
      await data(
        api.POST("/api/jobs/{job_id}/cancel", { params, body: { reason: "cancelled by request", ...body } }),
      );
    else if (verb === "retry") await data(api.POST("/api/jobs/{job_id}/retry", { params }));
    else await data(api.DELETE("/api/jobs/{job_id}", { params }));
    return { job, kind: "done", why: null };
  } catch (error) {
    const answered = error instanceof ApiError && error.status > 0 && error.status < 500;
    if (verb === "delete" && answered && error.status === 404) return { job, kind: "done", why: null };
    return {
      job,
      kind: answered ? "refused" : "unanswered",
      why: error instanceof Error ? error.message : String(error),
    };
  }
}
