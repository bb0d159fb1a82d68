import type { JobType, QueueDepth, WorkerStats } from "@/api/types";
import { expect, test } from "vitest";
import { consumptionOf, isUnconsumed, typesOf } from "./consumption";

const idle = {
  since: "2026-11-29T12:00:00Z",
  sent: 0,
  started: 0,
  ended: 0,
  sent_per_minute: 0,
  started_per_minute: 0,
  ended_per_minute: 0,
  wait_p50_s: null,
  wait_p95_s: null,
};
const queue = (values: Partial<QueueDepth>): QueueDepth => ({
  queue: "q",
  messages: 1,
  consumers: [],
  consumer_count: null,
  exists: true,
  slots: 0,
  oldest_at: null,
  oldest_job_id: null,
  oldest_is_known: false,
  last_5_min: idle,
  last_hour: idle,
  drained_in_s: null,
  ...values,
});
const worker = (name: string, concurrency: number, running: number) =>
  ({
    name,
    lease: { concurrency },
    active: Array.from({ length: running }, () => ({})),
  }) as unknown as WorkerStats;

test("slots are those of the workers that consume it; what the broker counts beyond them is told", () => {
  const found = consumptionOf(queue({ consumers: ["a", "b"], consumer_count: 3 }), [
    worker("a", 4, 1),
    worker("b", 2, 2),
    worker("c", 8, 8),
  ]);
  expect(found).toEqual({ workers: ["a", "b"], others: 1, slots: 6, taken: 3 });
  expect(consumptionOf(queue({}), []).others).toBeNull();
});

test("a queue is unconsumed if something waits and nobody is known to come", () => {
  expect(isUnconsumed(queue({}))).toBe(true);
  expect(isUnconsumed(queue({ messages: 0 }))).toBe(false);
  expect(isUnconsumed(queue({ consumer_count: 1 }))).toBe(false);
  expect(isUnconsumed(queue({ consumers: ["a"] }))).toBe(false);
});

test("the types of a queue are those that name it, and in the default queue those that name none", () => {
  const types = [
    { name: "mail", queue: "q", task: "t" },
    { name: "other", queue: "x", task: "t" },
    { name: "plain", queue: null, task: "t" },
    { name: "custom", queue: null, task: "" },
  ] as JobType[];
  const stats = { plain: { total: 5, by_status: { pending: 3 } } } as never;
  expect(typesOf("q", new Set(), types, stats).map(({ name }) => name)).toEqual(["mail"]);
  expect(typesOf("q", new Set(["q"]), types, stats)).toEqual([
    { name: "plain", pending: 3 },
    { name: "mail", pending: 0 },
  ]);
});
