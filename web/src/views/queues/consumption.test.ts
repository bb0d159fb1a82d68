import type { JobType, QueueDepth, WorkerStats } from "@/api/types";
import { expect, test } from "vitest";
import { consumptionOf, isUnconsumed, outlookOf, rate, typesOf, waitedSeconds } from "./consumption";

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

test("when a queue is empty: if nothing comes, and at the rates of late", () => {
  const now = Date.parse("2026-11-29T12:00:00Z");
  const moving = (sent: number, started: number) =>
    queue({
      ...{ messages: 60, consumers: ["a"], drained_in_s: 360 },
      last_5_min: { ...idle, sent_per_minute: sent, started_per_minute: started },
    });
  expect(outlookOf(queue({ messages: 0 }), [], now).kind).toBe("empty");
  expect(outlookOf(queue({}), [], now).kind).toBe("never");
  expect(outlookOf(queue({ consumers: ["a"] }), [], now).kind).toBe("stands");
  expect(outlookOf(moving(4, 10), [], now)).toEqual({
    ...{ kind: "drains", inSeconds: 360, netSeconds: 600, growth: -6 },
  });
  expect(outlookOf(moving(12, 10), [], now)).toMatchObject({ kind: "grows", inSeconds: null, growth: 2 });
  const busy = (seconds: number) =>
    [
      { name: "a", lease: { concurrency: 1 }, active: [{ time_start: now / 1000 - seconds }] },
    ] as unknown as WorkerStats[];
  expect(outlookOf(moving(4, 10), busy(61), now)).toMatchObject({ kind: "stands", inSeconds: null });
  expect(outlookOf(moving(4, 10), busy(59), now).kind).toBe("drains");
});

test("ages and rates", () => {
  const now = Date.parse("2026-11-29T12:01:00Z");
  expect(waitedSeconds({ oldest_at: "2026-11-29T12:00:00Z" }, now)).toBe(60);
  expect(waitedSeconds({ oldest_at: null }, now)).toBeNull();
  expect([rate(0), rate(0.4), rate(118.6), rate(1840)]).toEqual(["0", "0.4", "119", "1,840"]);
});
