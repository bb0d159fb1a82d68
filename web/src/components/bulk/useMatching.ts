import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data } from "@/api/client";
import type { JobSummary } from "@/api/types";
import { toQuery } from "@/filter/filter";
import { MOST } from "./bulk";

export interface Matching {
  readonly jobs: readonly JobSummary[];
  readonly isDone: boolean;
  /** There are more than an action may be for. */
  readonly isCut: boolean;
  /** When they were asked for. */
  readonly asOf: number;
  readonly error: Error | null;
  readonly retry: () => void;
}

const PAGE_SIZE = 500;

/** All jobs that match a filter, up to a bound; nothing while it is null. */
export function useMatching(q: string | null): Matching {
  const [asOf] = useState(() => Date.now());
  const [jobs, setJobs] = useState<readonly JobSummary[]>([]);
  const found = useQuery({
    queryKey: ["jobs", "matching", q, asOf],
    enabled: q !== null,
    staleTime: Infinity,
    gcTime: 0,
    queryFn: async ({ signal }) => {
      const all: JobSummary[] = [];
      let cursor: string | null = null;
      do {
        const query = { ...toQuery(q ?? ""), page_size: PAGE_SIZE, cursor };
        const page: { jobs: JobSummary[]; next_cursor: string | null } = await data(
          api.GET("/api/jobs/", { params: { query }, signal }),
        );
        all.push(...page.jobs);
        cursor = page.next_cursor;
        setJobs([...all]);
      } while (cursor !== null && all.length < MOST);
      return { isCut: cursor !== null || all.length > MOST };
    },
  });
  return {
    jobs: jobs.slice(0, MOST),
    isDone: found.data !== undefined,
    isCut: found.data?.isCut ?? false,
    asOf,
    error: found.error,
    retry: () => void found.refetch(),
  };
}
