import { expect, test } from "vitest";
import type { JobTree } from "@/api/types";
import { cloneOf, copiesSubJobs, maskedIn, subJobsOf } from "./clone";

const job = { job_type: "invoice", task: "shop.invoice", payload: { customer: "ACME" }, args: null };

test("a copy has the type and the payload", () => {
  expect(cloneOf(job)).toEqual({ job_type: "invoice", payload: { customer: "ACME" } });
});

test("positional arguments need a custom job", () => {
  expect(cloneOf({ ...job, args: [1] })).toEqual({
    job_type: "custom",
    payload: { task: "shop.invoice", args: [1], kwargs: { customer: "ACME" } },
  });
});

test("many sub-jobs are copied only if somebody asks for it", () => {
  expect([0, 1, 20, 21, 5000].map(copiesSubJobs)).toEqual([false, true, true, false, false]);
});

test("masked values are found at any depth", () => {
  expect(maskedIn({ card: "***", lines: [{ a: 1 }, { b: "***" }], note: "a *** b" })).toEqual([
    "card",
    "lines.1.b",
  ]);
});

function tree(payload: unknown, sub_jobs: JobTree[] = []): JobTree {
  return {
    ...job,
    id: "i",
    name: "n",
    priority: "high",
    tags: [],
    large_values: {},
    payload,
    sub_jobs,
  } as unknown as JobTree;
}

test("a tree is copied whole, or the first that can't be is named", () => {
  const found = subJobsOf(tree({}, [tree({ a: 1 }, [tree({ b: 2 })])]));
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ payload: { a: 1 }, priority: "high", sub_jobs: [{ payload: { b: 2 } }] });
  expect(() => subJobsOf(tree({}, [tree({ card: "***" })]))).toThrow(/The sub-job i \(n\).*masked/);
});
