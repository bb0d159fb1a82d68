import type { WorkerFigures } from "@/api/fleet";
import type { JobSummary, WorkerStats } from "@/api/types";
import { expect, test } from "vitest";
import { jobIdOf, linesOf, rowsOf, slotsOf } from "./workerRows";

const stats = (name: string, values: object) =>
  ({
    name,
    online: true,
    lease: { concurrency: 4, incarnation: `i-${name}` },
    active: [],
    reserved: [],
    scheduled: [],
    ...values,
  }) as unknown as WorkerStats;
const job = (id: string, worker: string, values: object = {}) =>
  ({
    id,
    worker,
    status: "running",
    name: `Job ${id}`,
    task: "t",
    started_at: "2026-11-29T07:00:00Z",
    ...values,
  }) as unknown as JobSummary;

test("a task is the job that its id names, in whichever run", () => {
  expect([jobIdOf("a"), jobIdOf("a~2"), jobIdOf("a~x"), jobIdOf("~3")]).toEqual(["a", "a", "a~x", ""]);
  const rows = rowsOf(
    [
      stats("w", {
        active: [
          { id: "a~2", name: "t", time_start: 5 },
          { id: "u", name: "plain", time_start: 7.5 },
        ],
      }),
    ],
    [job("a", "w", { task_id: "a~2" })],
  );
  expect(rows[0]?.running).toEqual([
    {
      id: "a",
      task: "t",
      job: expect.objectContaining({ id: "a" }) as JobSummary,
      at: "2026-11-29T07:00:00Z",
    },
    { id: "u", task: "plain", job: null, at: 7500 },
  ]);
});

test("a silent worker runs what its jobs say, and one without a lease is lost, first of all", () => {
  const rows = rowsOf(
    [stats("a", {}), stats("silent", { online: false })],
    [job("1", "silent"), job("2", "gone"), job("3", "never", { status: "retrying" })],
  );
  expect(rows.map(({ name, state, running }) => [name, state, running.map(({ id }) => id)])).toEqual([
    ["gone", "lost", ["2"]],
    ["silent", "silent", ["1"]],
    ["a", "online", []],
  ]);
});

test("slots are counted of those that answer", () => {
  const rows = rowsOf([stats("a", { active: [{ id: "x", name: "t" }] }), stats("b", { online: false })], []);
  expect(slotsOf(rows)).toEqual({ all: 4, taken: 1 });
});

test("a scheduled task is in its request, with its ETA", () => {
  const [row] = rowsOf(
    [stats("a", { scheduled: [{ eta: "2026-11-29T08:00:00Z", request: { id: "s", name: "t" } }] })],
    [],
  );
  expect(row?.scheduled).toEqual([{ id: "s", task: "t", job: null, at: "2026-11-29T08:00:00Z" }]);
});

test("who went within a day has a line, after the lost ones that jobs name and before those that live, or last", () => {
  const figures = (name: string, state: string, ended_at: string | null) =>
    ({ name, state, ended_at }) as WorkerFigures;
  const lines = linesOf(rowsOf([stats("a", {})], [job("1", "gone")]), [
    figures("a", "online", null),
    figures("gone", "lost", "2026-11-29T07:00:00Z"),
    figures("down", "stopped", "2026-11-29T07:00:00Z"),
    figures("dead", "lost", "2026-11-29T07:00:00Z"),
  ]);
  expect(lines.map(({ name, state, figures: own }) => [name, state, own?.state])).toEqual([
    ["dead", "lost", "lost"],
    ["gone", "lost", "lost"],
    ["a", "online", "online"],
    ["down", "stopped", "stopped"],
  ]);
});
