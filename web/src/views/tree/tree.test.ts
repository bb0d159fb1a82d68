import { expect, test } from "vitest";
import type { Status } from "@/api/types";
import { axisOf, moved, printAxis, zoomed } from "./axis";
import { criticalPath } from "./criticalPath";
import { childrenOf, countsOf, incompleteIn, type Outline, retryPlan, treeOf } from "./outline";
import { density, rowsOf, type Shape, spansOf } from "./rows";

interface Job {
  parent: number | null;
  status?: Status;
  times?: readonly [queued: number | null, started: number | null, finished: number | null];
  own?: number;
  type?: string;
  name?: string;
}

function outlineOf(jobs: readonly Job[]): Outline {
  const depth: number[] = [];
  for (const { parent } of jobs) depth.push(parent === null ? 0 : (depth[parent] ?? 0) + 1);
  const zeros = jobs.map(() => 0);
  const nulls = jobs.map(() => null);
  const time = (at: 0 | 1 | 2) => jobs.map(({ times }) => times?.[at] ?? null);
  return {
    first_row: 0,
    rows: jobs.length,
    next_cursor: null,
    parent: jobs.map(({ parent }) => parent),
    depth,
    id: jobs.map((_, row) => `id-${row}`),
    name: jobs.map(({ name }, row) => name ?? `job ${row}`),
    job_type: jobs.map(({ type }) => type ?? "page"),
    status: jobs.map(({ status }) => status ?? "completed"),
    reason: nulls,
    queue: nulls,
    worker: nulls,
    run: zeros,
    attempt: zeros,
    created_at_ms: zeros,
    queued_at_ms: time(0),
    due_at_ms: time(0),
    started_at_ms: time(1),
    finished_at_ms: time(2),
    own_started_at_ms: jobs.map(({ own }) => own ?? null),
    not_before_ms: nulls,
    progress_done: nulls,
    progress_total: nulls,
    sub_jobs: zeros,
    sub_jobs_completed: zeros,
    sub_jobs_failed: zeros,
    sub_jobs_cancelled: zeros,
  };
}

const treeFrom = (jobs: readonly Job[]) => treeOf([outlineOf(jobs)]);
const ALL: Shape = { toggled: new Set(), fold: false, path: new Set() };
const FOLDED: Shape = { ...ALL, fold: true };

const NESTED = treeFrom([
  { parent: null, times: [0, 10, 100], own: 90 },
  { parent: 0, times: [0, 10, 30] },
  { parent: 0, times: [0, 20, 85], own: 70 },
  { parent: 2, times: [0, 20, 40] },
  { parent: 2, times: [5, 25, 60] },
  { parent: 0, times: [0, 12, 20] },
]);

test("a tree knows what is below each row", () => {
  expect([...NESTED.end]).toEqual([6, 2, 5, 4, 5, 6]);
  expect(childrenOf(NESTED, 0)).toEqual([1, 2, 5]);
  expect([NESTED.from, NESTED.to]).toEqual([0, 100]);
});

test("the critical path goes through what ended last, taken apart into waiting and running", () => {
  const { rows, segments } = criticalPath(NESTED, 999);
  expect(rows).toEqual([0, 2, 4]);
  expect(segments.map(({ row, kind, from, to }) => [row, kind, from, to])).toEqual([
    [4, "waits", 5, 25],
    [4, "runs", 25, 60],
    [2, "waits", 60, 70],
    [2, "runs", 70, 85],
    [0, "waits", 85, 90],
    [0, "runs", 90, 100],
  ]);
});

test("of what has not ended, the path goes to what began first, and ends now", () => {
  const tree = treeFrom([
    { parent: null, status: "running", times: [0, 1, null] },
    { parent: 0, times: [0, 1, 99] },
    { parent: 0, status: "pending", times: [0, null, null] },
    { parent: 0, status: "running", times: [0, 30, null] },
    { parent: 0, status: "running", times: [0, 20, null] },
  ]);
  const { rows, segments } = criticalPath(tree, 200);
  expect(rows).toEqual([0, 4]);
  expect(segments).toEqual([
    { row: 4, kind: "waits", from: 0, to: 20, isOpen: false },
    { row: 4, kind: "runs", from: 20, to: 200, isOpen: true },
  ]);
});

const MANY = treeFrom([
  { parent: null, status: "running" },
  ...Array.from({ length: 6 }, (): Job => ({ parent: 0 })),
  { parent: 0, status: "failed" },
  { parent: 0, status: "failed" },
  { parent: 0, type: "other" },
  { parent: 9, status: "failed", name: "Deep <b>one</b>" },
]);

const told = (shape: Shape) =>
  rowsOf(MANY, shape).map((row) => (row.kind === "job" ? row.row : `${row.rows.length} ${row.status}`));

test("what is alike is one row, and what goes wrong is not hidden in it", () => {
  expect(told(FOLDED)).toEqual([0, "6 completed", 7, 8, 9]);
  expect(told({ ...FOLDED, path: new Set([3]) })).toEqual([0, "5 completed", 3, 7, 8, 9]);
  expect(told({ ...FOLDED, toggled: new Set(["0.completed.page", "9"]) })).toEqual([
    ...[0, "6 completed", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  ]);
});

test("without folding each job has a row, and a closed one hides what is below it", () => {
  expect(told(ALL)).toHaveLength(11);
  expect(told({ ...ALL, toggled: new Set(["9"]) })).not.toContain(10);
  expect(told({ ...ALL, toggled: new Set(["0"]) })).toEqual([0]);
});

test("a filter leaves what matches and what is above it", () => {
  expect(told({ ...FOLDED, status: "failed" })).toEqual([0, 7, 8, 9, 10]);
  expect(told({ ...ALL, words: "deep" })).toEqual([0, 9, 10]);
  expect(rowsOf(MANY, { ...ALL, words: "deep" }).map((row) => row.kind === "job" && row.isAbove)).toEqual([
    ...[true, true, false],
  ]);
  expect(told({ ...ALL, words: "nobody" })).toEqual([0]);
});

test("a retry asks for the topmost that did not complete, and counts what runs again", () => {
  expect(countsOf(MANY, 0)).toMatchObject({ failed: 3, completed: 7, running: 1 });
  expect([0, 7, 9, 1].map((row) => incompleteIn(MANY, row))).toEqual([3, 1, 1, 0]);
  expect(retryPlan(MANY, 0)).toEqual({ rows: [7, 8, 10], failed: 3, cancelled: 0 });
  const failed = treeFrom([
    { parent: null, status: "failed" },
    { parent: 0, status: "cancelled" },
    { parent: 0 },
  ]);
  expect(retryPlan(failed, 0)).toEqual({ rows: [0], failed: 1, cancelled: 1 });
});

test("a density counts what runs, and what waits, at a time", () => {
  const tree = treeFrom([
    { parent: null, times: [0, 0, 40] },
    { parent: 0, times: [0, 0, 19] },
    { parent: 0, times: [0, 10, 39] },
    { parent: 0, status: "running", times: [0, 30, null] },
    { parent: 0, status: "pending", times: [0, null, null] },
  ]);
  const grid = { from: 0, to: 40, pieces: 4, now: 40 };
  expect([...density(tree, [1, 2, 3, 4], grid, "runs")]).toEqual([1, 2, 1, 2]);
  const waiting = density(tree, [1, 2, 3], grid, "waits");
  expect([...waiting]).toEqual([2, 2, 1, 1]); // the first one did not wait
  expect([...density(tree, [4], grid, "waits")]).toEqual([1, 1, 1, 1]);
  expect(spansOf(waiting)).toEqual([[0, 4]]);
  expect(spansOf(Float64Array.of(0, 2, 0, 1, 1))).toEqual([
    [1, 2],
    [3, 5],
  ]);
});

test("the axis zooms around a time, moves, and stays where something is", () => {
  const whole = { from: 1000, to: 2000 };
  const close = zoomed(whole, 0.5, 1500, whole);
  expect(close).toEqual({ from: 1250, to: 1750 });
  expect(zoomed(close ?? whole, 4, 1500, whole)).toBeNull();
  expect(moved(close ?? whole, 2, whole)).toEqual({ from: 1500, to: 2000 });
  expect(axisOf(printAxis(close, whole), whole)).toEqual(close);
  expect(axisOf("9-1", whole)).toBeNull();
  expect(axisOf("x", whole)).toBeNull();
});

test("a tree of 10,000 jobs is laid out at once", () => {
  const jobs: Job[] = [{ parent: null }];
  for (let n = 1; n < 10_000; n += 1) jobs.push({ parent: 0, type: `t${n % 3}` });
  const tree = treeFrom(jobs.map((job) => ({ ...job, times: [0, 1, 2] as const })));
  expect(rowsOf(tree, ALL)).toHaveLength(10_000);
  expect(rowsOf(tree, FOLDED)).toHaveLength(4);
});
