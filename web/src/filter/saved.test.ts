import { expect, test } from "vitest";
import { parseSaved } from "./saved";

test("what is stored is read, and what is not a filter is left out", () => {
  const stored = [
    { name: "stuck", search: { q: "status:pending", sort: "created_at", other: 1 } },
    { name: "", search: {} },
    { name: "no search" },
    null,
  ];
  expect(parseSaved(JSON.stringify(stored))).toEqual([
    { name: "stuck", search: { q: "status:pending", sort: "created_at" } },
  ]);
  expect(parseSaved("{ broken")).toEqual([]);
  expect(parseSaved(null)).toEqual([]);
});
