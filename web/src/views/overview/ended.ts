/** How many jobs ended in a range: those that the list of the same filter has. */
import { queryOptions, useQueries } from "@tanstack/react-query";
import { api, data } from "@/api/client";
import { jobsWith, toQuery } from "@/filter/filter";
import { useLive } from "@/live/useLive";

export const ENDS = ["completed", "failed", "cancelled"] as const;
export type End = (typeof ENDS)[number];

/** The filter of the jobs that ended so, in a range. Its link and its number belong together. */
export function endedWith(status: End, since: string): { q: string } {
  return jobsWith({ status, finished: since });
}

const endedJobs = (status: End, since: string) =>
  queryOptions({
    queryKey: ["ended-jobs", status, since],
    queryFn: async ({ signal }) => {
      const query = { ...toQuery(endedWith(status, since).q), page_size: 1 };
      return (await data(api.GET("/api/jobs/", { params: { query }, signal }))).total ?? null;
    },
  });

/** By status; null where it is not known yet. A job that was retried counts once, with its status now. */
export function useEnded(since: string): Readonly<Record<End, number | null>> {
  useLive([["ended-jobs"]]);
  const [completed, failed, cancelled] = useQueries({
    queries: ENDS.map((status) => endedJobs(status, since)),
  }).map(({ data: found }) => found ?? null);
  return { completed: completed ?? null, failed: failed ?? null, cancelled: cancelled ?? null };
}
