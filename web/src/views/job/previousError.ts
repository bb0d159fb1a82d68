/** The error of an attempt or a run that is over, of a job that goes on. */
import { type HistoryEntry, SETTLED, type Status } from "@/api/types";

export interface PastError {
  /** Which one: `attempt 1`, `run 1`. */
  readonly of: string;
  readonly at: string;
  /** As the history has it: type and message. */
  readonly line: string;
  readonly type: string;
  readonly message: string;
  readonly worker: string | null;
}

const UNSUCCESSFUL: ReadonlySet<HistoryEntry["step"]> = new Set(["retrying", "failed", "requeued"]);

/**
 * The last one that history has a reason of; null if the job has ended: its own error counts.
 *
 * @param history What happened to it, oldest first.
 * @param status Its status now.
 */
export function previousError(history: readonly HistoryEntry[], status: Status): PastError | null {
  if (SETTLED.has(status)) return null;
  const entry = history.findLast(({ step, reason }) => UNSUCCESSFUL.has(step) && reason != null);
  if (entry?.reason == null) return null;
  const [, type, message] = /^([\w.]+): (.*)$/s.exec(entry.reason) ?? [null, entry.reason, ""];
  const run = entry.run ?? 1;
  const attempt = entry.attempt == null ? null : `attempt ${entry.attempt + 1}`;
  const isLastRun = !history.some((each) => (each.run ?? 1) > run);
  return {
    of: isLastRun ? (attempt ?? `run ${run}`) : [`run ${run}`, attempt].filter(Boolean).join(", "),
    at: entry.at,
    line: entry.reason,
    type: type ?? entry.reason,
    message: message ?? "",
    worker: entry.worker ?? null,
  };
}
