import { expect, test } from "vitest";
import { pairOf, pText } from "./verdicts";

const releases = [
  { release: "2", first_seen: "2026-11-29T10:00:00Z" },
  { release: "3", first_seen: "2026-11-29T11:00:00Z" },
  { release: "1", first_seen: "2026-11-29T09:00:00Z" },
];

test("the newest is compared with the one before it, unless others are named", () => {
  expect(pairOf(releases, {})).toEqual({ a: "2", b: "3" });
  expect(pairOf(releases, { b: "2" })).toEqual({ a: "1", b: "2" });
  expect(pairOf(releases, { a: "1" })).toEqual({ a: "1", b: "3" });
  expect(pairOf(releases, { a: "3", b: "1" })).toEqual({ a: "3", b: "1" });
  expect(pairOf(releases, { b: "1" })).toEqual({ a: "3", b: "1" });
});

test("one release has none to be compared with", () => {
  expect(pairOf([], {})).toBeNull();
  expect(pairOf(releases.slice(0, 1), {})).toBeNull();
  expect(pairOf(releases, { a: "2", b: "2" })).toBeNull();
});

test("small p-values are called small", () => {
  expect([pText(null), pText(1e-22), pText(0.0421)]).toEqual(["", "p < 0.001", "p = 0.042"]);
});
