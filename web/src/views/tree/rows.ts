/** Which rows of a tree are shown: what is open, what a filter leaves, and what is alike folded into one. */
import type { Status } from "@/api/types";
import { childrenOf, type Tree } from "./outline";

export interface JobRow {
  readonly kind: "job";
  /** Its row in the tree. */
  readonly row: number;
  readonly level: number;
  readonly key: string;
  readonly hasChildren: boolean;
  readonly isOpen: boolean;
  /** A filter leaves it because of what is below it. */
  readonly isAbove: boolean;
}

export interface FoldRow {
  readonly kind: "fold";
  /** The rows of the jobs that are folded, in their order; what is below them is folded with them. */
  readonly rows: readonly number[];
  readonly status: Status;
  readonly jobType: string;
  readonly level: number;
  readonly key: string;
  readonly isOpen: boolean;
  /** How many jobs, with all below them. */
  readonly jobs: number;
}

export type Row = JobRow | FoldRow;

export interface Shape {
  /** Keys of rows that are not open or closed as they usually are. */
  readonly toggled: ReadonlySet<string>;
  readonly fold: boolean;
  /** The rows of the critical path: they are never folded, and open. */
  readonly path: ReadonlySet<number>;
  readonly status?: Status | undefined;
  readonly words?: string | undefined;
}

/** So many sub-jobs of one parent that are alike are one row. */
const ALIKE = 4;
/** What goes wrong or goes on is looked at one by one, up to so many. */
const ALIKE_IN_SIGHT = 12;
const IN_SIGHT: ReadonlySet<Status> = new Set(["running", "retrying", "failed"]);

/** The rows, from the top to the bottom. */
export function rowsOf(tree: Tree, shape: Shape): Row[] {
  const found: Row[] = [];
  if (tree.size === 0) return found;
  const filtered = matches(tree, shape);
  const add = (row: number, level: number): void => {
    if (filtered && !filtered.shown[row]) return;
    const hasChildren = (tree.end[row] ?? 0) > row + 1;
    const key = String(row);
    const usually = filtered !== null || !shape.fold || row === 0 || shape.path.has(row);
    const isOpen = hasChildren && usually !== shape.toggled.has(key);
    const isAbove = filtered !== null && !filtered.hit[row];
    found.push({ kind: "job", row, level, key, hasChildren, isOpen, isAbove });
    if (isOpen) addBelow(row, level + 1);
  };
  const addBelow = (parent: number, level: number): void => {
    const children = childrenOf(tree, parent).filter((child) => !filtered || filtered.shown[child]);
    if (!shape.fold) {
      for (const child of children) add(child, level);
      return;
    }
    for (const group of groupsOf(tree, children, shape.path)) {
      const [first] = group;
      if (first === undefined) continue;
      const status = tree.status[first] ?? "pending";
      if (group.length < (IN_SIGHT.has(status) ? ALIKE_IN_SIGHT : ALIKE)) {
        for (const child of group) add(child, level);
        continue;
      }
      const jobType = tree.columns.job_type[first] ?? "";
      const key = `${parent}.${status}.${jobType}`;
      const isOpen = shape.toggled.has(key);
      const jobs = group.reduce((sum, row) => sum + (tree.end[row] ?? row + 1) - row, 0);
      found.push({ kind: "fold", rows: group, status, jobType, level, key, isOpen, jobs });
      if (isOpen) for (const child of group) add(child, level + 1);
    }
  };
  add(0, 0);
  return found;
}

/** Sub-jobs of one status and type are alike; each group stands where its first one does. */
function groupsOf(tree: Tree, children: readonly number[], path: ReadonlySet<number>): number[][] {
  const groups: number[][] = [];
  const byKind = new Map<string, number[]>();
  for (const child of children) {
    const kind = `${tree.status[child] ?? ""} ${tree.columns.job_type[child] ?? ""}`;
    const group = path.has(child) ? undefined : byKind.get(kind);
    if (group) group.push(child);
    else {
      const begun = [child];
      groups.push(begun);
      if (!path.has(child)) byKind.set(kind, begun);
    }
  }
  return groups;
}

interface Matches {
  /** What matches itself. */
  readonly hit: Uint8Array;
  /** What is shown: also what is above something that matches. */
  readonly shown: Uint8Array;
}

function matches(tree: Tree, { status, words }: Shape): Matches | null {
  const wanted = words?.trim().toLowerCase() ?? "";
  if (status === undefined && wanted === "") return null;
  const hit = new Uint8Array(tree.size);
  const shown = new Uint8Array(tree.size);
  for (let row = tree.size - 1; row >= 0; row -= 1) {
    const isHit =
      (status === undefined || tree.status[row] === status) &&
      (wanted === "" ||
        (tree.columns.name[row] ?? "").toLowerCase().includes(wanted) ||
        (tree.columns.id[row] ?? "").startsWith(wanted));
    if (isHit) hit[row] = 1;
    if (isHit || row === 0) shown[row] = 1;
    const parent = tree.parent[row] ?? -1;
    if (shown[row] && parent >= 0) shown[parent] = 1;
  }
  return { hit, shown };
}

/** How many jobs run, or wait, at a time in each of some equal pieces of an axis: what a folded row shows. */
export function density(
  tree: Tree,
  rows: readonly number[],
  { from, to, pieces, now }: { from: number; to: number; pieces: number; now: number },
  what: "runs" | "waits",
): Float64Array {
  const counts = new Float64Array(pieces + 1);
  const width = (to - from) / pieces;
  for (const row of rows) {
    const ends = [tree.finished[row] ?? Number.NaN, now];
    if (what === "waits") ends.unshift(tree.started[row] ?? Number.NaN);
    const began = (what === "runs" ? tree.started[row] : tree.queued[row]) ?? Number.NaN;
    const end = ends.find((time) => !Number.isNaN(time)) ?? now;
    // What did not wait for a moment is not drawn as waiting.
    if (Number.isNaN(began) || (what === "waits" && end <= began)) continue;
    if (end < from || began > to) continue;
    const first = Math.max(0, Math.floor((began - from) / width));
    const last = Math.min(pieces - 1, Math.floor((end - from) / width));
    counts[first] = (counts[first] ?? 0) + 1;
    counts[last + 1] = (counts[last + 1] ?? 0) - 1;
  }
  for (let piece = 1; piece < pieces; piece += 1)
    counts[piece] = (counts[piece] ?? 0) + (counts[piece - 1] ?? 0);
  return counts.subarray(0, pieces);
}

/** Where something is, as spans of pieces: the first one, and the one after the last. */
export function spansOf(counts: Float64Array): [first: number, end: number][] {
  const found: [number, number][] = [];
  counts.forEach((value, piece) => {
    const last = found.at(-1);
    if (value <= 0) return;
    if (last?.[1] === piece) last[1] = piece + 1;
    else found.push([piece, piece + 1]);
  });
  return found;
}
