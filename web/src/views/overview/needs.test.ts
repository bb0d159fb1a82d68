import { expect, test } from "vitest";
import { needsOf } from "./needs";

const AT = "2026-11-29T12:00:00Z";
const NOTHING = { blocked: [], failures: [], unconsumed_queues: [], lost_workers: [], disabled_webhooks: [] };
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

test("a group of failures says whether it is new or regressed, and leads to itself", () => {
  const failure = {
    id: "f1",
    state: "new",
    error_type: "KeyError",
    message: "'vat'",
    jobs_of_day: 212,
    types: { invoice: 212 },
    releases: { "7.2": 212 },
    hours: [0, 212],
    first_seen: AT,
    last_seen: AT,
    regressed_at: null,
    regressed_in: null,
  };
  const regressed = { ...failure, state: "regressed", regressed_at: AT, regressed_in: "7.3", releases: {} };
  const [need, back] = needs({ failures: [failure, regressed] });
  expect([need?.what, need?.subject, need?.why]).toEqual([
    "212 jobs failed in a way that is new:",
    "KeyError: 'vat'",
    "invoice · only in release 7.2",
  ]);
  expect(need?.action.way).toEqual({ to: "/failures", search: { group: "f1" } });
  expect([back?.what, back?.why]).toEqual([
    "Regressed after it was marked as resolved, 212 jobs failed:",
    "invoice · first in release 7.3",
  ]);
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

test("a webhook that was disabled leads to itself", () => {
  const webhook = {
    id: "w1",
    description: "",
    host: "hooks.example.com",
    disabled_at: AT,
    reason: "It was away.",
  };
  const [need, named] = needs({ disabled_webhooks: [webhook, { ...webhook, description: "Pager" }] });
  expect([need?.subject, need?.why, named?.subject]).toEqual(["hooks.example.com", "It was away.", "Pager"]);
  expect(need?.action.way).toEqual({ to: "/webhooks", search: { webhook: "w1" } });
});
