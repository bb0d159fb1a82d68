/** Who consumes a queue, and what waits there: joined from the broker's, the workers' and the store's answers. */
import type { JobType, QueueDepth, Schemas, WorkerStats } from "@/api/types";
import { duration } from "@/format/format";

export interface Consumption {
  /** Workers that are known, by name. */
  readonly workers: readonly string[];
  /** Consumers that the broker counts and nobody knows; null: it does not say. */
  readonly others: number | null;
  /** Slots of these workers, and how many are taken, by any task. */
  readonly slots: number;
  readonly taken: number;
}

export function consumptionOf(queue: QueueDepth, workers: readonly WorkerStats[]): Consumption {
  const own = workers.filter(({ name }) => queue.consumers.includes(name));
  return {
    workers: queue.consumers,
    others: queue.consumer_count == null ? null : Math.max(0, queue.consumer_count - queue.consumers.length),
    slots: own.reduce((sum, { lease }) => sum + (lease?.concurrency ?? 0), 0),
    taken: own.reduce((sum, { active }) => sum + active.length, 0),
  };
}

/** Whether messages wait and nobody comes for them. Consumers that the broker does not count may be there. */
export function isUnconsumed(queue: QueueDepth): boolean {
  return queue.messages > 0 && queue.consumers.length === 0 && (queue.consumer_count ?? 0) === 0;
}

export interface WaitingType {
  readonly name: string;
  readonly pending: number;
}

/** Types that are sent to a queue, those with the most pending jobs first. */
export function typesOf(
  queue: string,
  defaultQueues: ReadonlySet<string>,
  types: readonly JobType[],
  stats: Readonly<Record<string, Schemas["Group"]>>,
): WaitingType[] {
  return types
    .filter((type) =>
      type.queue == null ? defaultQueues.has(queue) && type.task !== "" : type.queue === queue,
    )
    .map(({ name }) => ({ name, pending: stats[name]?.by_status.pending ?? 0 }))
    .sort((one, two) => two.pending - one.pending || one.name.localeCompare(two.name));
}

/** From this age on the oldest message is marked: a queue that moves is faster than that, or is behind. */
export const LONG_WAIT_S = 1800;

/** For how many seconds the oldest message waits; null: none does, or that is not known. */
export function waitedSeconds({ oldest_at }: Pick<QueueDepth, "oldest_at">, now: number): number | null {
  return oldest_at == null ? null : Math.max(0, (now - Date.parse(oldest_at)) / 1000);
}

export function waitedFor(since: string | number, now: number): string {
  return duration(Math.max(0, now - Number(new Date(since))) / 1000);
}

/** A rate in 1/min: whole numbers from ten on. */
export function rate(perMinute: number): string {
  if (perMinute === 0) return "0";
  return perMinute < 9.95 ? perMinute.toFixed(1) : Math.round(perMinute).toLocaleString("en");
}

export interface Outlook {
  /** `never`: nobody consumes it. `stands`: somebody does, and nothing was begun of late. `grows`: more comes than is begun. */
  readonly kind: "empty" | "never" | "stands" | "grows" | "drains";
  /** Seconds until nothing waits, if nothing more comes; null: not known. */
  readonly inSeconds: number | null;
  /** Seconds until nothing waits at the rates of late; null: it does not shrink, or is not known. */
  readonly netSeconds: number | null;
  /** Messages that come per minute more than are begun; below 0 it shrinks. */
  readonly growth: number;
}

/** So long no slot may become free before a queue is said to stand. */
const STANDS_MS = 60_000;
/** Messages per minute: what grows by less stays as it is. */
const GROWS = 0.05;

/** Whether long tasks have all slots of its workers: each has run for a minute, so nothing was taken meanwhile. */
export function isHeld(queue: QueueDepth, workers: readonly WorkerStats[], now: number): boolean {
  const { slots, taken, others } = consumptionOf(queue, workers);
  const own = workers.filter(({ name }) => queue.consumers.includes(name));
  const began = own.flatMap(({ active }) => active.map(({ time_start: at }) => at));
  const areLong = began.every((at) => typeof at === "number" && now - at * 1000 > STANDS_MS);
  return slots > 0 && taken >= slots && !others && areLong;
}

/** When a queue is empty: if nothing more comes, and if as much comes as of late. */
export function outlookOf(queue: QueueDepth, workers: readonly WorkerStats[], now: number): Outlook {
  const { sent_per_minute, started_per_minute } = queue.last_5_min;
  const growth = sent_per_minute - started_per_minute;
  const base = { inSeconds: queue.drained_in_s ?? null, netSeconds: null, growth };
  if (queue.messages === 0) return { ...base, kind: "empty" };
  if (isUnconsumed(queue)) return { ...base, kind: "never" };
  if (queue.drained_in_s == null || isHeld(queue, workers, now))
    return { ...base, inSeconds: null, kind: "stands" };
  if (growth > GROWS) return { ...base, inSeconds: null, kind: "grows" };
  return { ...base, kind: "drains", netSeconds: growth < 0 ? (queue.messages / -growth) * 60 : null };
}
