import type { Schemas, JobSummary, Status } from "@/api/types";
import type { JobChange } from "@/live/hints";
import type { Sort } from "./route";

export interface Merged {
  /** The rows that are shown, in the order in which they came, with the newest values. */
  readonly rows: readonly JobSummary[];
  /** Those that match no longer, or were deleted. */
  readonly gone: ReadonlySet<string>;
  /** How many jobs would stand above the first row. */
  readonly newer: number;
}

type Head = Pick<Schemas["JobPage"], "jobs" | "next_cursor">;

/**
 * What is shown, with the first page as it is now.
 *
 * @param known The rows that are shown.
 * @param head The first page as it is now; null before it is there.
 * @param sort The order of both.
 */
export function merged(known: readonly JobSummary[], head: Head | null, sort: Sort | undefined): Merged {
  if (head === null) return { rows: known, gone: new Set(), newer: 0 };
  const now = new Map(head.jobs.map((job) => [job.id, job]));
  const shown = new Set(known.map((job) => job.id));
  const isNewestFirst = sort === undefined || sort.startsWith("-");
  const firstShown = head.jobs.findIndex((job) => shown.has(job.id));
  const above = head.jobs
    .slice(0, firstShown < 0 ? head.jobs.length : firstShown)
    .filter((job) => !shown.has(job.id));
  return {
    rows: known.map((job) => now.get(job.id) ?? job),
    gone: new Set(known.filter((job) => !now.has(job.id) && isWithin(head, job, sort)).map((job) => job.id)),
    newer: isNewestFirst ? above.length : 0,
  };
}

/**
 * The same list, with one of its later pages as it is now.
 *
 * @param page The rows of that page as they were loaded, and what is there now.
 */
export function withPage(
  list: Merged,
  page: { readonly known: readonly JobSummary[]; readonly now: Head | null },
  sort: Sort | undefined,
): Merged {
  const { known, now } = page;
  if (now === null) return list;
  const found = new Map(now.jobs.map((job) => [job.id, job]));
  const gone = known.filter((job) => !found.has(job.id) && isWithin(now, job, sort)).map((job) => job.id);
  return {
    ...list,
    rows: list.rows.map((job) => found.get(job.id) ?? job),
    gone: new Set([...list.gone, ...gone]),
  };
}

/** Whether a job, if it still matched, would be on this page: the page goes on beyond its place. */
function isWithin(head: Head, job: JobSummary, sort: Sort | undefined): boolean {
  const last = head.jobs.at(-1);
  if (head.next_cursor === null) return true;
  if (last === undefined || sort?.endsWith("status_changed_at")) return false; // its place has changed with it
  return sort === "created_at" ? job.created_at < last.created_at : job.created_at > last.created_at;
}

/** A row of the list. */
export type JobRow = JobSummary & { readonly deleted?: true };

/** What hints have said of a job. */
export interface Told {
  /** When they last did. */
  readonly at: number;
  readonly status: Status;
  /** The statuses that it has left. */
  readonly left: ReadonlySet<string>;
  readonly isDeleted: boolean;
}

/** What is told of a job, with one more hint. */
export function noted(before: Told | undefined, change: JobChange, at: number): Told {
  const left = new Set(before?.left);
  if (change.before !== undefined) left.add(change.before);
  return { at, left, status: change.status as Status, isDeleted: change.what.includes("deleted") };
}

/**
 * The list as hints say it is by now, before it was fetched again.
 *
 * An answer that was asked for after a hint has what the hint told of. One that was asked for before may be older or
 * newer than the hint: it is older if its status is one that the job has left.
 *
 * @param asOf When the values of a row were asked for.
 */
export function asTold(list: Merged, told: ReadonlyMap<string, Told>, asOf: (id: string) => number) {
  const gone = new Set(list.gone);
  const rows = list.rows.map((job): JobRow => {
    const change = told.get(job.id);
    const isGone = gone.has(job.id);
    if (!change || (!isGone && change.at <= asOf(job.id))) return job;
    if (change.isDeleted) {
      gone.add(job.id);
      return { ...job, deleted: true };
    }
    return job.status !== change.status && (isGone || change.left.has(job.status))
      ? { ...job, status: change.status }
      : job;
  });
  return { ...list, rows, gone };
}
