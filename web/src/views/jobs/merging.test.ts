import type { JobSummary } from "@/api/types";
import { expect, test } from "vitest";
import { asTold, merged, noted, type Told } from "./merging";

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

const told = (...changes: [string, string, string?][]) => {
  const found = new Map<string, Told>();
  changes.forEach(([id, status, before]) => {
    const change = {
      id,
      status,
      what: [status === "deleted" ? "deleted" : "status"],
      ...(before ? { before } : {}),
    };
    found.set(id, noted(found.get(id), change, 10));
  });
  return found;
};
const list = (...jobs: JobSummary[]) => ({ rows: jobs, gone: new Set<string>(), newer: 0 });

test("what is told is shown before it is fetched, and what was fetched later stays", () => {
  const changes = told(["a", "running", "pending"], ["a", "failed", "running"]);
  expect(asTold(list(job("a", 1, "pending")), changes, () => 9).rows[0]?.status).toBe("failed");
  expect(asTold(list(job("a", 1, "pending")), changes, () => 11).rows[0]?.status).toBe("pending");
});

test("an answer that is ahead of what is told stays", () => {
  const changes = told(["a", "running", "pending"]);
  expect(asTold(list(job("a", 1, "completed")), changes, () => 9).rows[0]?.status).toBe("completed");
});

test("what was deleted is gone, wherever the page ends, and stays as it was", () => {
  const { rows, gone } = asTold(list(job("b", 2), job("a", 1)), told(["a", "deleted"]), () => 9);
  expect(rows.map(({ deleted, status }) => [deleted, status])).toEqual([
    [undefined, "running"],
    [true, "running"],
  ]);
  expect([...gone]).toEqual(["a"]);
});

test("what has left the list has the status that was told last", () => {
  const left = { ...list(job("a", 1, "pending")), gone: new Set(["a"]) };
  expect(asTold(left, told(["a", "completed", "running"]), () => 11).rows[0]?.status).toBe("completed");
});
