import type { JobSummary } from "@/api/types";
import { expect, test } from "vitest";
import { merged } from "./merging";

/** A job of which only what merging looks at is there. */
const job = (id: string, minute: number, status: JobSummary["status"] = "running") =>
  ({ id, status, created_at: `2026-11-29T12:${String(minute).padStart(2, "0")}:00Z` }) as JobSummary;
const page = (jobs: JobSummary[], next_cursor: string | null = "more") => ({ jobs, next_cursor });

test("rows keep their place and get new values", () => {
  const { rows, newer } = merged(
    [job("b", 2), job("a", 1)],
    page([job("b", 2, "failed"), job("a", 1)]),
    undefined,
  );
  expect(rows.map(({ id, status }) => [id, status])).toEqual([
    ["b", "failed"],
    ["a", "running"],
  ]);
  expect(newer).toBe(0);
});

test("what is newer is counted, not shown", () => {
  const { rows, newer } = merged([job("a", 1)], page([job("c", 3), job("b", 2), job("a", 1)]), "-created_at");
  expect([rows.map(({ id }) => id), newer]).toEqual([["a"], 2]);
});

test("what no longer matches stays, and is marked, as far as the first page goes", () => {
  const { rows, gone } = merged(
    [job("c", 3), job("b", 2), job("a", 1)],
    page([job("c", 3), job("b", 2)]),
    undefined,
  );
  expect(rows).toHaveLength(3);
  expect([...gone]).toEqual([]); // a is beyond that page
  expect([
    ...merged([job("c", 3), job("b", 2), job("a", 1)], page([job("c", 3), job("a", 1)]), undefined).gone,
  ]).toEqual(["b"]);
  expect([...merged([job("c", 3)], page([], null), undefined).gone]).toEqual(["c"]);
});

test("jobs whose order is their last change are not gone because they have moved", () => {
  expect(merged([job("b", 2)], page([job("a", 1)]), "-status_changed_at").gone.size).toBe(0);
});
