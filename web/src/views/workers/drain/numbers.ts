/** What becomes of what a worker has: counted, and in words. */
import type { Drain } from "@/api/fleet";
import type { Schemas } from "@/api/types";

export type Fate = Schemas["IfStopped"];
type Held = Schemas["HeldTask"];

export const FATES: Readonly<Record<Fate, string>> = {
  lost: "lost",
  runs_again: "run again, sent by jobtracker (on_lost)",
  comes_back: "run again, from messages that come back",
  may_run: "run if a slot is free, or go back",
  finishes: "finish",
  cancelled: "not run again (cancel requested)",
};

/** Worst first. */
const ORDER = ["lost", "runs_again", "comes_back", "may_run", "finishes", "cancelled"] as const;

export interface FateCount {
  readonly fate: Fate;
  readonly jobs: number;
}

/** How many of these tasks have which fate, the worst first. */
export function fatesOf(tasks: readonly Held[], by: "if_killed" | "if_stopped"): FateCount[] {
  return ORDER.flatMap((fate) => {
    const jobs = tasks.filter((task) => task[by] === fate).length;
    return jobs > 0 ? [{ fate, jobs }] : [];
  });
}

/** What runs, and what it has fetched and not begun. */
export function splitOf({ tasks }: Drain): { running: Held[]; waiting: Held[] } {
  return {
    running: tasks.filter(({ where }) => where === "active"),
    waiting: tasks.filter(({ where }) => where !== "active"),
  };
}

/** The queues of a worker that no other live worker consumes: nobody takes their messages when it is drained. */
export function queuesLeftAlone(
  name: string,
  own: readonly string[],
  workers: readonly Pick<Schemas["WorkerFigures"], "name" | "state" | "is_drained" | "queues">[],
): string[] {
  const others = workers.filter(
    (each) => each.name !== name && !each.is_drained && (each.state === "online" || each.state === "silent"),
  );
  return own.filter((queue) => !others.some(({ queues }) => queues.includes(queue)));
}
