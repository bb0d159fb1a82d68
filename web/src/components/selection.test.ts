import { expect, test } from "vitest";
import { allOrNone, extended, NOTHING, toggled } from "./selection";

const ORDER = ["a", "b", "c", "d"];
const keys = (of: { keys: ReadonlySet<string> }) => [...of.keys].sort();

test("a row is selected and taken out again", () => {
  const one = toggled(NOTHING, "b");
  expect(keys(one)).toEqual(["b"]);
  expect(keys(toggled(one, "b"))).toEqual([]);
});

test("a range goes from the last toggled row in both directions, and keeps what is selected", () => {
  expect(keys(extended(toggled(NOTHING, "b"), "d", ORDER))).toEqual(["b", "c", "d"]);
  expect(keys(extended(toggled(toggled(NOTHING, "d"), "b"), "a", ORDER))).toEqual(["a", "b", "d"]);
});

test("without a beginning that is in the list, a range is one row", () => {
  expect(keys(extended(NOTHING, "c", ORDER))).toEqual(["c"]);
  expect(keys(extended({ keys: new Set(), anchor: "gone" }, "c", ORDER))).toEqual(["c"]);
});

test("all, then none", () => {
  const all = allOrNone(toggled(NOTHING, "b"), ORDER);
  expect(keys(all)).toEqual(ORDER);
  expect(keys(allOrNone(all, ORDER))).toEqual([]);
});
