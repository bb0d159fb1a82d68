import { expect, test } from "vitest";
import { type Executions, parts, type Ran, updated } from "./executions";

const ran = (id: string, from: number, to: number | null): Ran => ({
  id,
  name: id,
  type: "t",
  status: to === null ? "running" : "completed",
  worker: "w",
  from,
  to,
  inferred: false,
});

test("what ended before the span goes, what was read again is replaced, what does not go on any more goes", () => {
  const known: Executions = {
    from: 0,
    to: 100,
    rows: [ran("old", 0, 5), ran("kept", 0, 50), ran("ends", 60, null), ran("gone", 70, null)],
    unread: null,
  };
  const next = updated(known, [ran("ends", 60, 104), ran("new", 101, null)], { from: 10, to: 110 });
  expect(next.rows.map(({ id, to }) => [id, to])).toEqual([
    ["kept", 50],
    ["ends", 104],
    ["new", null],
  ]);
  expect([next.from, next.to]).toEqual([10, 110]);
});

test("what was not read is said until it has left the span", () => {
  const known: Executions = { from: 0, to: 100, rows: [], unread: { from: 0, to: 20 } };
  expect(updated(known, [], { from: 10, to: 110 }).unread).toEqual({ from: 0, to: 20 });
  expect(updated(known, [], { from: 20, to: 120 }).unread).toBeNull();
});

test("the parts of a span are the span, its end first", () => {
  const found = parts({ from: 0, to: 100 }, 3);
  expect(found).toEqual([
    { from: 67, to: 100 },
    { from: 33, to: 67 },
    { from: 0, to: 33 },
  ]);
});
