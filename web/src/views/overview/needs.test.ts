import { expect, test } from "vitest";
import { needsOf } from "./needs";

const AT = "2026-11-29T12:00:00Z";
const NOTHING = { blocked: [], failures: [], unconsumed_queues: [], lost_workers: [] };
const needs = (found: object) => needsOf({ ...NOTHING, ...found } as never);
const blocked = {
  code: "no_consumer",
  summary: "38 jobs wait in a queue that nobody consumes.",
  count: 38,
  is_exact: true,
  queue: "e-mail",
  worker: null,
  job_types: ["newsletter"],
  oldest_since: AT,
  job_ids: ["a"],
};
const worker = {
  incarnation: "i",
  name: "gpu@g2",
  lost_at: AT,
  queues: [],
  open_jobs: 3,
  failed_jobs: 0,
  job_ids: [],
};

test("a queue that blocks jobs is named once", () => {
  const queues = [
    { queue: "e-mail", messages: 38 },
    { queue: "other", messages: 1 },
  ];
  const found = needs({ blocked: [blocked], unconsumed_queues: queues });
  expect(found.map(({ what, subject }) => [what, subject])).toEqual([
    [blocked.summary, null],
    ["1 message waits in a queue that nobody consumes:", "other"],
  ]);
  expect(found[0]?.action.way).toEqual({ to: "/queues", search: { queue: "e-mail" } });
});

test("a failure leads to the jobs that it counts", () => {
  const failure = {
    job_type: "invoice",
    error: "KeyError: 'vat'",
    count: 212,
    last_at: AT,
    workers: [],
    job_ids: ["b"],
  };
  const [need] = needs({ failures: [failure] });
  expect(need?.what).toBe("212 jobs of type invoice failed:");
  expect(need?.action.way).toEqual({ to: "/jobs", search: { q: "status:failed type:invoice finished:1h" } });
});

test("a worker that is back and lost nothing needs nobody", () => {
  expect(needs({ lost_workers: [{ ...worker, is_back: true }] })).toEqual([]);
  expect(needs({ lost_workers: [{ ...worker, is_back: false }] })).toHaveLength(1);
  expect(needs({ lost_workers: [{ ...worker, is_back: true, failed_jobs: 2 }] })).toHaveLength(1);
});

test("jobs that wait for a slot lead to their queue, and to the jobs that have the slots", () => {
  const group = { ...blocked, code: "queued", queue: "reports", slot_job_ids: ["h1", "h2"] };
  const [need] = needs({ blocked: [group] });
  expect([need?.code, need?.example, need?.holders]).toEqual(["queued", "a", ["h1", "h2"]]);
  expect(need?.action.way).toEqual({ to: "/queues", search: { queue: "reports" } });
});
