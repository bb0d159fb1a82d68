/** Who consumes a queue, and what waits there: joined from the broker's, the workers' and the store's answers. */
import type { JobType, QueueDepth, Schemas, WorkerStats } from "@/api/types";

export interface Consumption {
  /** Workers that are known, by name. */
  readonly workers: readonly string[];
  /** Consumers that the broker counts and nobody knows; null: it does not say. */
  readonly others: number | null;
  /** Slots of these workers, and how many are taken: by whatever they run. */
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
