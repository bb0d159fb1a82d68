/** The critical path: the jobs one after the other that a tree's end depended, or depends, on. */
import { childrenOf, isOpen, type Tree } from "./outline";

export interface Segment {
  readonly row: number;
  /** `waits`: it was sent and had not begun. `runs`: its task, or the own task of a parent. */
  readonly kind: "waits" | "runs";
  readonly from: number;
  readonly to: number;
  /** It goes on. */
  readonly isOpen: boolean;
}

export interface CriticalPath {
  /** Its rows, from the root down to the job with which it begins. */
  readonly rows: readonly number[];
  /** What it is made of, oldest first. */
  readonly segments: readonly Segment[];
}

/**
 * A parent's own task begins when the last of its sub-jobs has ended, so the path goes from the root to the sub-job that
 * ended last, and so on down. Of those that have not ended: to the one that began first, else that waits longest.
 */
export function criticalPath(tree: Tree, now: number): CriticalPath {
  if (tree.size === 0) return { rows: [], segments: [] };
  const rows = [0];
  for (let row: number | undefined = 0; row !== undefined;) {
    row = lastOf(tree, row);
    if (row !== undefined) rows.push(row);
  }
  const segments: Segment[] = [];
  for (let index = rows.length - 1; index >= 0; index -= 1) {
    const row = rows[index] ?? 0;
    const below = rows[index + 1];
    // A parent waits from the end of what it waited for; that its sub-jobs run is told by these.
    if (below !== undefined && isOpen(tree, below)) continue;
    const since = below === undefined ? tree.queued[row] : tree.finished[below];
    const began = below === undefined ? tree.started[row] : tree.ownStarted[row];
    segments.push(...partsOf(tree, row, since ?? Number.NaN, began ?? Number.NaN, now));
  }
  return { rows, segments };
}

function partsOf(tree: Tree, row: number, since: number, began: number, now: number): Segment[] {
  const open = isOpen(tree, row);
  const end = open ? now : (tree.finished[row] ?? now);
  const begin = Number.isNaN(began) ? end : began;
  const found: Segment[] = [];
  if (begin > since)
    found.push({ row, kind: "waits", from: since, to: begin, isOpen: open && Number.isNaN(began) });
  if (!Number.isNaN(began))
    found.push({ row, kind: "runs", from: begin, to: Math.max(begin, end), isOpen: open });
  return found;
}

/** The sub-job that a parent waits for, or waited for last. */
function lastOf(tree: Tree, row: number): number | undefined {
  let best: number | undefined;
  for (const child of childrenOf(tree, row))
    if (best === undefined || isLater(tree, child, best)) best = child;
  return best;
}

function isLater(tree: Tree, one: number, other: number): boolean {
  const open = isOpen(tree, one);
  if (open !== isOpen(tree, other)) return open;
  if (!open) return (tree.finished[one] ?? 0) > (tree.finished[other] ?? 0);
  const began = [tree.started[one] ?? Number.NaN, tree.started[other] ?? Number.NaN] as const;
  if (Number.isNaN(began[0]) !== Number.isNaN(began[1])) return !Number.isNaN(began[0]);
  if (!Number.isNaN(began[0])) return began[0] < began[1];
  return (tree.queued[one] ?? 0) < (tree.queued[other] ?? 0);
}
