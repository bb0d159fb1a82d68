/** A tree of jobs in columns, as the API answers it: 10,000 rows as typed arrays take little and are walked fast. */
import { MOST_ROWS, type Schemas, type Status } from "@/api/types";

export type Outline = Schemas["TreeOutline"];

type Column = Exclude<keyof Outline, "first_row" | "rows" | "next_cursor">;

export interface Tree {
  readonly size: number;
  /** The row of each row's parent; -1 for the root. */
  readonly parent: Int32Array;
  readonly depth: Uint8Array;
  /** The row behind the last one below each row: rows are stored parents first. */
  readonly end: Int32Array;
  readonly status: readonly Status[];
  /** Milliseconds since the epoch; NaN: not yet. */
  readonly queued: Float64Array;
  readonly started: Float64Array;
  readonly finished: Float64Array;
  /** When a parent's own task began; NaN for all others. */
  readonly ownStarted: Float64Array;
  /** How many jobs before each row failed or were cancelled; of all, behind the last one. */
  readonly incompleteBefore: Int32Array;
  readonly columns: Pick<
    Outline,
    | "id"
    | "name"
    | "job_type"
    | "reason"
    | "queue"
    | "worker"
    | "run"
    | "attempt"
    | "progress_done"
    | "progress_total"
    | "sub_jobs"
    | "sub_jobs_completed"
    | "sub_jobs_failed"
    | "sub_jobs_cancelled"
  >;
  /** Of all rows: the first and the last time that is known. */
  readonly from: number;
  readonly to: number;
  /** There are more rows than the page shows. */
  readonly isCut: boolean;
  /** More rows are on their way: what is counted or compared over all of them is not known yet. */
  readonly isPart: boolean;
}

/** A tree from the pages of its outline. */
export function treeOf(pages: readonly Outline[]): Tree {
  const all = <Name extends Column>(name: Name): Outline[Name] => {
    const [first] = pages;
    if (pages.length === 1 && first) return first[name];
    return pages.flatMap((page): unknown[] => page[name]) as Outline[Name];
  };
  const parent = Int32Array.from(all("parent"), (row) => row ?? -1);
  const size = parent.length;
  const times = (of: readonly (number | null)[]) => Float64Array.from(of, (time) => time ?? Number.NaN);
  const created = all("created_at_ms");
  const queued = times(all("due_at_ms").map((time, row) => time ?? created[row] ?? null));
  const started = times(all("started_at_ms"));
  const finished = times(all("finished_at_ms"));
  const end = new Int32Array(size);
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (let row = size - 1; row >= 0; row -= 1) {
    end[row] = Math.max(end[row] ?? 0, row + 1);
    const above = parent[row] ?? -1;
    if (above >= 0) end[above] = Math.max(end[above] ?? 0, end[row] ?? 0);
    for (const time of [queued[row], started[row], finished[row]]) {
      if (time === undefined || Number.isNaN(time)) continue;
      if (time < from) from = time;
      if (time > to) to = time;
    }
  }
  const status = all("status");
  const last = pages.at(-1);
  const hasMore = last !== undefined && last.next_cursor != null && last.rows > 0;
  const incompleteBefore = new Int32Array(size + 1);
  for (let row = 0; row < size; row += 1) {
    const isOne = status[row] === "failed" || status[row] === "cancelled";
    incompleteBefore[row + 1] = (incompleteBefore[row] ?? 0) + (isOne ? 1 : 0);
  }
  return {
    size,
    parent,
    depth: Uint8Array.from(all("depth")),
    end,
    status,
    incompleteBefore,
    queued,
    started,
    finished,
    ownStarted: times(all("own_started_at_ms")),
    columns: {
      id: all("id"),
      name: all("name"),
      job_type: all("job_type"),
      reason: all("reason"),
      queue: all("queue"),
      worker: all("worker"),
      run: all("run"),
      attempt: all("attempt"),
      progress_done: all("progress_done"),
      progress_total: all("progress_total"),
      sub_jobs: all("sub_jobs"),
      sub_jobs_completed: all("sub_jobs_completed"),
      sub_jobs_failed: all("sub_jobs_failed"),
      sub_jobs_cancelled: all("sub_jobs_cancelled"),
    },
    from,
    to,
    isCut: hasMore && size >= MOST_ROWS,
    isPart: hasMore && size < MOST_ROWS,
  };
}

/** Whether anything of a tree has not ended. */
export function isOpen(tree: Tree, row: number): boolean {
  return Number.isNaN(tree.finished[row]) || !ENDED.has(tree.status[row] ?? "pending");
}

const ENDED: ReadonlySet<Status> = new Set(["completed", "failed", "cancelled"]);

/** The rows directly below one. */
export function childrenOf(tree: Tree, row: number): number[] {
  const found: number[] = [];
  for (let child = row + 1; child < (tree.end[row] ?? 0); child = tree.end[child] ?? child + 1)
    found.push(child);
  return found;
}

/** How many jobs have each status, in a row and below it. */
export function countsOf(tree: Tree, row: number): Record<Status, number> {
  const counts = { pending: 0, running: 0, retrying: 0, completed: 0, failed: 0, cancelled: 0 };
  for (let each = row; each < (tree.end[row] ?? 0); each += 1) counts[tree.status[each] ?? "pending"] += 1;
  return counts;
}

/** How many jobs failed or were cancelled, in a row and below it. */
export function incompleteIn(tree: Tree, row: number): number {
  return (tree.incompleteBefore[tree.end[row] ?? row] ?? 0) - (tree.incompleteBefore[row] ?? 0);
}

/** What a retry of all that failed below a row asks for, and how many jobs run again. */
export interface RetryPlan {
  /** The rows that are retried: of a parent that failed, all below it that did not complete runs again with it. */
  readonly rows: readonly number[];
  readonly failed: number;
  readonly cancelled: number;
}

export function retryPlan(tree: Tree, row: number): RetryPlan {
  const rows: number[] = [];
  let failed = 0;
  let cancelled = 0;
  const last = tree.end[row] ?? 0;
  for (let each = row; each < last;) {
    const status = tree.status[each];
    if (status !== "failed" && status !== "cancelled") {
      each += 1;
      continue;
    }
    rows.push(each);
    const end = tree.end[each] ?? each + 1;
    for (; each < end; each += 1) {
      if (tree.status[each] === "failed") failed += 1;
      else if (tree.status[each] === "cancelled") cancelled += 1;
    }
  }
  return { rows, failed, cancelled };
}
