/** Entries of the audit: which rows stand, and which job one is about. */
import type { AuditEntry } from "@/api/admin";

/** Actions whose target is a job. That of `change_many` is the job of its run. */
const OF_JOBS: ReadonlySet<string> = new Set([
  "create_job",
  "create_job_with_sub_jobs",
  "update_job",
  "delete_job",
  "start_job",
  "cancel_job",
  "retry_job",
  "change_many",
]);

/** The id of the job that an entry is about; null: it is about something else, or the job is gone. */
export function jobOf({ action, target, outcome }: AuditEntry): string | null {
  if (target == null || !OF_JOBS.has(action)) return null;
  return action === "delete_job" && outcome === "done" ? null : target;
}

interface Arranged {
  /** What was shown stays in its place, as it is now. */
  readonly rows: readonly AuditEntry[];
  /** How many entries are newer. */
  readonly newer: number;
}

/**
 * The rows of a page that was fetched again.
 *
 * @param held The entries as they were shown first, the latest first.
 * @param now The entries as they are now.
 */
export function arranged(held: readonly AuditEntry[], now: readonly AuditEntry[]): Arranged {
  const known = new Set(held.map(({ id }) => id));
  const fresh = new Map(now.map((entry) => [entry.id, entry]));
  const [first] = held;
  const upTo = first === undefined ? 0 : now.findIndex(({ id }) => known.has(id));
  return {
    rows: held.map((entry) => fresh.get(entry.id) ?? entry),
    newer: first === undefined || upTo < 0 ? now.length : upTo,
  };
}
