import { expect, test } from "vitest";
import { failureShare, totals, waits } from "./series";

const point = (completed: number, failed: number) => ({
  at: "2026-11-29T12:00:00Z",
  created: 1,
  completed,
  failed,
  cancelled: 0,
});

test("where nothing ended there is no failure rate", () => {
  expect([point(3, 1), point(0, 0), point(0, 2)].map(failureShare)).toEqual([0.25, null, 1]);
  expect(totals([point(3, 1), point(0, 2)])).toEqual({ created: 2, completed: 3, failed: 3, cancelled: 0 });
});

test("waits stand on the axis of the other charts, for the types with the most jobs", () => {
  const type = (count: number[], wait_p95_s: (number | null)[]) => ({ count, wait_p95_s });
  const series = {
    at: ["2026-11-29T11:00:00Z", "2026-11-29T12:00:00Z"],
    by_type: { few: type([1, 0], [1, null]), many: type([5, 5], [2, 3]), none: type([0, 0], [null, null]) },
  };
  const axis = ["2026-11-29T10:58:00Z", "2026-11-29T11:58:00Z", "2026-11-29T12:00:00Z"];
  expect(waits(series as never, axis, 2)).toEqual([
    { label: "many", values: [null, 2, 3], overall: 3 },
    { label: "few", values: [null, 1, null], overall: 1 },
  ]);
});
