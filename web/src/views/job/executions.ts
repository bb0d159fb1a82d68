/** The ledger of a job: its executions, and which of them counts. Read from its history. */
import { type HistoryEntry, type Status, SETTLED } from "@/api/types";

export type Outcome = Status | "lost" | "requeued" | "replaced" | "unknown";

export interface Execution {
  readonly run: number;
  /** The attempt within its run, 0 for the first; null: not known, or a parent's. */
  readonly attempt: number | null;
  readonly worker: string | null;
  /** Since when it waited for its begin, in milliseconds; null: that is not known. */
  readonly waitedFrom: number | null;
  /** When it began; null: it still waits. */
  readonly from: number | null;
  /** When it ended; null: it goes on. */
  readonly to: number | null;
  /** What it came to; null: it goes on. */
  readonly outcome: Outcome | null;
  /** Whether the job's outcome is, or will be, that of this execution. */
  readonly counts: boolean;
  /** Whether its run is an earlier one: the job was retried since. */
  readonly isPast: boolean;
  /** Whether it is one of several deliveries of its attempt. */
  readonly isAgain: boolean;
  /** Its outcome was inferred: its worker did not report it. */
  readonly inferred: boolean;
  readonly reason: string | null;
  /** Of one that does not count: whether it had the same result as the job. */
  readonly sameResult: boolean | null;
}

type Draft = { -readonly [Key in keyof Execution]: Execution[Key] };

const LATE_OUTCOMES: Readonly<Record<string, Outcome>> = {
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled",
  retrying: "retrying",
  requeued: "requeued",
  replaced: "replaced",
  lost: "lost",
};

/**
 * The executions of a job, in the order in which they began.
 *
 * @param history What happened to it, oldest first.
 * @param status Its status now.
 */
export function executionsOf(history: readonly HistoryEntry[], status: Status): Execution[] {
  const found: Draft[] = [];
  let waitedFrom: number | null = null;
  let lastRun = 1;

  const openOf = (run: number) =>
    found.findLast((each) => each.run === run && each.to === null && each.counts);
  const close = (entry: HistoryEntry, outcome: Outcome, counts: boolean) => {
    const open = openOf(entry.run ?? lastRun);
    if (open === undefined) return;
    Object.assign(open, {
      to: ms(entry.at),
      outcome,
      counts,
      reason: entry.reason ?? open.reason,
      inferred: entry.inferred,
    });
  };

  for (const entry of history) {
    const at = ms(entry.at);
    const run = entry.run ?? lastRun;
    lastRun = Math.max(lastRun, run);
    switch (entry.step) {
      case "queued":
      case "relaunched":
      case "sent_again":
        waitedFrom = at;
        break;
      case "started": {
        const before = openOf(run);
        // Its worker never said how it ended, and the broker delivered the message again.
        if (before) Object.assign(before, { to: at, outcome: "unknown", counts: false });
        found.push(
          begun(entry, { run, waitedFrom, counts: true, isAgain: hasTwin(found, run, entry.attempt) }),
        );
        waitedFrom = null;
        break;
      }
      case "started_again":
        found.push(begun(entry, { run, waitedFrom: null, counts: false, isAgain: true }));
        break;
      case "retrying":
        close(entry, "retrying", true);
        waitedFrom = at;
        break;
      case "requeued":
        close(entry, "requeued", false);
        waitedFrom = at;
        break;
      case "replaced":
        close(entry, "replaced", true);
        waitedFrom = at;
        break;
      case "ended_late":
        endLate(found, entry, run);
        break;
      case "corrected": {
        const last = found.findLast((each) => each.run === run && each.counts);
        if (last) Object.assign(last, { to: null, outcome: null, inferred: false });
        break;
      }
      case "completed":
      case "failed":
      case "cancelled":
        close(entry, entry.inferred ? "lost" : entry.step, true);
        break;
    }
  }
  if (!SETTLED.has(status) && waitedFrom !== null && !openOf(lastRun))
    found.push(waiting(lastRun, waitedFrom));
  return found.map((each) => (each.run < lastRun ? { ...each, counts: false, isPast: true } : each));
}

/** How many executions began, and how many of these count for the outcome. */
export function ledgerOf(executions: readonly Execution[]): { began: number; count: number } {
  const began = executions.filter((each) => each.from !== null);
  const count = began.filter(
    (each) => each.counts && each.outcome !== "retrying" && each.outcome !== "replaced",
  );
  return { began: began.length, count: count.length };
}

/** What a retry would, or might, do a second time: sentences, none if nothing speaks against it. */
export function doneTwice(executions: readonly Execution[]): string[] {
  const found: string[] = [];
  const others = executions.filter((each) => !each.counts || each.outcome === "lost");
  const completed = others.filter((each) => each.outcome === "completed");
  const unknown = others.filter(({ outcome }) => outcome === "lost" || outcome === "unknown");
  for (const { worker } of completed)
    found.push(
      `An execution that does not count did complete${on(worker)}. A retry does its work a second time.`,
    );
  for (const { worker } of unknown)
    found.push(
      `How far an execution${on(worker)} came is not known: it was lost. A retry does again what it had done.`,
    );
  return [...new Set(found)];
}

function on(worker: string | null): string {
  return worker === null ? "" : ` on ${worker}`;
}

function ms(time: string): number {
  return Date.parse(time);
}

function begun(entry: HistoryEntry, known: Pick<Draft, "run" | "waitedFrom" | "counts" | "isAgain">): Draft {
  return {
    attempt: entry.attempt ?? null,
    worker: entry.worker ?? null,
    from: ms(entry.at),
    to: null,
    outcome: null,
    isPast: false,
    inferred: false,
    reason: null,
    sameResult: null,
    ...known,
  };
}

function waiting(run: number, waitedFrom: number): Draft {
  return {
    run,
    attempt: null,
    worker: null,
    waitedFrom,
    from: null,
    to: null,
    outcome: null,
    counts: true,
    isAgain: false,
    isPast: false,
    inferred: false,
    reason: null,
    sameResult: null,
  };
}

function hasTwin(found: readonly Draft[], run: number, attempt: number | null | undefined): boolean {
  return found.some((each) => each.run === run && each.attempt === (attempt ?? null));
}

/** The execution that began then ended late. If its begin was not kept, the report is all that is known of it. */
function endLate(found: Draft[], entry: HistoryEntry, run: number): void {
  const from = entry.began_at == null ? null : ms(entry.began_at);
  const worker = entry.worker ?? null;
  const isIt = (each: Draft) =>
    each.run === run && each.from !== null && (from === null ? each.worker === worker : each.from === from);
  const known =
    found.findLast((each) => isIt(each) && !each.counts) ??
    found.findLast((each) => isIt(each) && each.outcome !== "retrying");
  const end = {
    to: ms(entry.at),
    outcome: LATE_OUTCOMES[entry.outcome ?? ""] ?? ("unknown" as const),
    counts: false,
    reason: entry.reason ?? null,
    sameResult: entry.same_result ?? null,
  };
  if (known !== undefined && !known.counts) Object.assign(known, end);
  else
    found.push({
      ...begun(entry, { run, waitedFrom: null, counts: false, isAgain: true }),
      from: from ?? ms(entry.at),
      ...end,
    });
}
