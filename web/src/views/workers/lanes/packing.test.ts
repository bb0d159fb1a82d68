import type { Ran } from "@/api/executions";
import { expect, test } from "vitest";
import { blockAt, blocks, kindOf, MOST_ROWS, packed, pathOf } from "./packing";

const ran = (id: string, from: number, to: number | null, more: Partial<Ran> = {}): Ran => ({
  id,
  name: id,
  type: "t",
  status: to === null ? "running" : "completed",
  worker: "w",
  from,
  to,
  inferred: false,
  ...more,
});
const ids = (rows: readonly (readonly Ran[])[]) => rows.map((row) => row.map(({ id }) => id));

test("each stands in the first row that is free; there are as many rows as ran at once, or as slots", () => {
  const all = [ran("c", 1000, 2000), ran("a", 0, 1000), ran("b", 500, null)];
  expect(ids(packed(all, 3000, 0).rows)).toEqual([["a", "c"], ["b"]]);
  expect(ids(packed(all, 3000, 4).rows)).toEqual([["a", "c"], ["b"], [], []]);
});

test("what goes on takes its row to the end", () => {
  expect(ids(packed([ran("a", 0, null), ran("b", 2000, 2500)], 3000, 1).rows)).toEqual([["a"], ["b"]]);
});

test("rows are bounded, and what has no place is counted", () => {
  const all = Array.from({ length: MOST_ROWS + 5 }, (_, n) => ran(String(n), n, 100_000));
  const { rows, unplaced } = packed(all, 100_000, 500);
  expect([rows.length, unplaced]).toEqual([MOST_ROWS, 5]);
});

const SPAN = { from: 0, to: 100_000 };

test("a pixel or longer is a block of its own; shorter ones of a pixel are one, and are counted", () => {
  const row = [
    ran("long", 0, 5000),
    ran("x", 10_000, 10_100),
    ran("y", 10_200, 10_300),
    ran("z", 10_400, 10_500),
  ];
  const found = blocks(row, SPAN, 100, null);
  expect(found.map(({ x, width, jobs, ran: one }) => [x, width, jobs, one?.id ?? null])).toEqual([
    [0, 5, 1, "long"],
    [10, 1, 3, null],
  ]);
});

test("a failure among thousands of short ones stands out, and only in its pixel", () => {
  const row = Array.from({ length: 400 }, (_, n) =>
    ran(String(n), n * 50, n * 50 + 40, { status: n === 205 ? "failed" : "completed" }),
  );
  const found = blocks(row, SPAN, 100, null);
  expect(found.map(({ x, width, kind }) => [x, width, kind])).toEqual([
    [0, 10, "completed"],
    [10, 1, "completed"],
    [11, 9, "completed"],
  ]);
  expect(found.reduce((sum, { jobs }) => sum + jobs, 0)).toBe(400);
  expect(found[1]?.kinds).toEqual({ completed: 19, failed: 1 });
  expect(pathOf([found], "failed", 7, 10)).toBe("M10 7h1v3h-1z");
});

test("what leaves the span is cut at its edges, and what lies outside is not there", () => {
  const found = blocks([ran("in", -5000, 50_000), ran("out", 200_000, null)], SPAN, 100, null);
  expect(found.map(({ x, width }) => [x, width])).toEqual([[0, 50]]);
});

test("what did not end before its worker went was lost with it", () => {
  const [block] = blocks([ran("a", 0, null)], SPAN, 100, 40_000);
  expect([block?.kind, block?.width]).toEqual(["lost", 40]);
  expect(kindOf(ran("a", 0, 5, { status: "failed", inferred: true }), false)).toBe("lost");
  expect(kindOf(ran("a", 0, 5, { status: "completed", inferred: true }), false)).toBe("completed");
  expect(kindOf(ran("a", 0, 5, { status: "pending" }), false)).toBe("retrying");
});

test("a block is found at its place, or a little beside it", () => {
  const found = blocks([ran("a", 10_000, 20_000), ran("b", 50_000, 60_000)], SPAN, 100, null);
  expect([blockAt(found, 15), blockAt(found, 22), blockAt(found, 35), blockAt(found, 48.5)]).toEqual([
    0, 0, -1, 1,
  ]);
});

test("blocks of a kind are one path", () => {
  const found = blocks(
    [ran("a", 10_000, 20_000), ran("b", 50_000, 60_000, { status: "failed" })],
    SPAN,
    100,
    null,
  );
  expect(pathOf([found], "failed", 7, 6)).toBe("M50 0h9.5v6h-9.5z");
  expect(pathOf([found], "lost", 7, 6)).toBe("");
});
