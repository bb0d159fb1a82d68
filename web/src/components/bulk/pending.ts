/** Bulk runs of this page that go on, and what they do to jobs in sight: shown as pending until the record says so. */
import { useSyncExternalStore } from "react";
import type { BulkAction, BulkRun } from "@/api/bulk";
import { type JobSummary, SETTLED } from "@/api/types";
import { hint } from "@/live/hints";

/** `deleted`: the bulk run has deleted it; no record will say so. */
type Mark = BulkAction | "deleted";
type Marked = Pick<JobSummary, "id" | "status" | "status_changed_at" | "cancel_requested_at" | "run">;

interface Followed {
  /** The ids of the bulk runs to which a line leads back, the newest first. */
  readonly ids: readonly string[];
  /** What they do to jobs that were selected, by the ids of these. */
  readonly marks: ReadonlyMap<string, { readonly mark: Mark; readonly version: string; readonly of: string }>;
}

const KEPT = "jobtracker.bulk";
const MOST = 10;

let followed: Followed = { ids: kept(), marks: new Map() };
const listeners = new Set<() => void>();

/** Those of this tab, also after the page was loaded again. */
function kept(): readonly string[] {
  try {
    return (sessionStorage.getItem(KEPT) ?? "").split(" ").filter((id) => id !== "");
  } catch {
    return []; // a browser that keeps nothing
  }
}

function change(next: Partial<Followed>): void {
  followed = { ...followed, ...next };
  try {
    sessionStorage.setItem(KEPT, followed.ids.join(" "));
  } catch {
    // The line is there until the page is loaded again.
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The bulk runs of this tab that have not been dismissed, the newest first. */
export function useFollowed(): readonly string[] {
  return useSyncExternalStore(subscribe, () => followed.ids);
}

/** What of a record a change changes. */
function versionOf(job: Marked): string {
  return [job.status, job.status_changed_at, job.cancel_requested_at ?? "", job.run].join(" ");
}

/** A bulk run has begun: a line leads back to it, and the jobs that it is about are pending. */
export function follow(run: BulkRun, jobs: readonly JobSummary[] = []): void {
  const marks = new Map(followed.marks);
  for (const job of jobs) marks.set(job.id, { mark: run.action, version: versionOf(job), of: run.id });
  change({ ids: [run.id, ...followed.ids.filter((id) => id !== run.id)].slice(0, MOST), marks });
}

/** The line that leads back to it goes away. The bulk run goes on. */
export function dismiss(id: string): void {
  const marks = [...followed.marks].filter(([, { of }]) => of !== id);
  change({ ids: followed.ids.filter((each) => each !== id), marks: new Map(marks) });
}

/** Nobody is there whose bulk runs they are. */
export function dismissAll(): void {
  change({ ids: [], marks: new Map() });
}

/** A bulk run has ended: what its jobs are now is in their records. */
export function ended(run: BulkRun): void {
  if (!SETTLED.has(run.status) || ![...followed.marks.values()].some(({ of }) => of === run.id)) return;
  const areDeleted = run.action === "delete" && run.refused === 0 && run.left_alone === 0;
  const marks = [...followed.marks].flatMap(([id, each]) =>
    each.of !== run.id
      ? [[id, each] as const]
      : areDeleted
        ? [[id, { ...each, mark: "deleted", of: "" } as const] as const]
        : [],
  );
  change({ marks: new Map(marks) });
  hint({ kind: "jobs", jobs: "many" }); // where no stream tells of it
}

/** What is being done to a job; null once its record has changed. */
export function usePending(job: Marked): Mark | null {
  const found = useSyncExternalStore(subscribe, () => followed.marks.get(job.id));
  return found?.version === versionOf(job) ? found.mark : null;
}
