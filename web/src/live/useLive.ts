import { type QueryClient, type QueryKey, useQueryClient } from "@tanstack/react-query";
import { useEffect, useEffectEvent } from "react";
import { currentConnection } from "./connection";
import { concerns, type Hint, type Jobs, onHint, wantedRestMs } from "./hints";

interface Concern {
  /** `jobs` (default): when jobs have changed. `clock`: every few seconds, for what no stream tells of. */
  on?: Hint["kind"];
  /** Only when this job has changed, or one of these. */
  job?: Jobs;
  /** The least pause between two fetches; twice as long while changes go on. */
  restMs?: number;
  /** Of the clock, only each so manieth beat. */
  beats?: number;
}

/** Of what shows many jobs; of what shows one or a few, whose changes are few. */
const REST_MS = 1000;
const REST_OF_SOME_MS = 250;
/** The pause is at least this many times what the last answer took. */
const REST_OF_ANSWER = 8;
const LONGEST_REST_MS = 5000;

/**
 * Fetches queries again, while a view shows them, when what they show may have changed.
 *
 * The first hint is followed at once. Hints that come meanwhile are followed together, by one more fetch after a pause:
 * where much changes, or the API is slow, or has many viewers, the page asks less often and misses nothing. Pauses differ
 * by chance, so that the pages of many viewers do not ask all at once.
 *
 * @param keys The keys of the queries; each also stands for those that begin with it.
 * @param concern Which changes; without it, those of any job.
 */
export function useLive(
  keys: readonly QueryKey[],
  { on = "jobs", job, restMs = job === undefined ? REST_MS : REST_OF_SOME_MS, beats = 1 }: Concern = {},
): void {
  const client = useQueryClient();
  const ask = useEffectEvent(() => {
    for (const key of keys) follow(client, key, restMs);
  });
  const hear = useEffectEvent((hint: Hint) => {
    if (hint.kind === "clock" && (hint.beat ?? 0) % beats !== 0) return;
    if (concerns(hint, on, job)) ask();
  });
  useEffect(
    () =>
      onHint((hint) => {
        hear(hint);
      }),
    [],
  );
}

/** The keys that are being fetched, and whether once more: several components may show the same. */
const followed = new Map<string, { again: boolean; isBegun: boolean }>();

function follow(client: QueryClient, queryKey: QueryKey, restMs: number): void {
  const name = JSON.stringify(queryKey);
  const running = followed.get(name);
  if (running) {
    running.again ||= running.isBegun;
    return;
  }
  // What is on its way already may have been read before the change.
  const state = { again: client.isFetching({ queryKey }) > 0, isBegun: false };
  followed.set(name, state);
  queueMicrotask(() => void keepUp());

  async function keepUp(): Promise<void> {
    state.isBegun = true;
    let rest = restMs;
    do {
      const begun = Date.now();
      await client.invalidateQueries({ queryKey }, { cancelRefetch: false }).catch(() => undefined);
      const took = Date.now() - begun;
      const own = Math.min(LONGEST_REST_MS, Math.max(rest, took * REST_OF_ANSWER));
      const wanted = restMs < REST_MS ? 0 : wantedRestMs(); // of one job or a few: seldom
      await pause(Math.max(own, wanted) * (0.75 + Math.random() / 2));
      rest = 2 * restMs;
    } while (takeAgain());
    followed.delete(name);
  }

  function takeAgain(): boolean {
    const { again } = state;
    state.again = false;
    return again && !currentConnection().paused; // who goes on gets everything anew
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    window.setTimeout(resolve, ms);
  });
}
