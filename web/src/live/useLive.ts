import { type QueryKey, useQueryClient } from "@tanstack/react-query";
import { useEffect, useEffectEvent } from "react";
import { concerns, type Hint, onHint } from "./hints";

interface Concern {
  /** `jobs` (default): when jobs have changed. `clock`: every few seconds, for what no stream tells of. */
  on?: Hint["kind"];
  /** Only when this job has changed. */
  job?: string;
}

/**
 * Fetches queries again, while a view shows them, when what they show may have changed.
 *
 * @param keys The keys of the queries; each also stands for those that begin with it.
 * @param concern Which changes; without it, those of any job.
 */
export function useLive(keys: readonly QueryKey[], { on = "jobs", job }: Concern = {}): void {
  const client = useQueryClient();
  const refetch = useEffectEvent(() => {
    for (const queryKey of keys) void client.invalidateQueries({ queryKey }, { cancelRefetch: false });
  });
  useEffect(
    () =>
      onHint((hint) => {
        if (concerns(hint, on, job)) refetch();
      }),
    [on, job],
  );
}
