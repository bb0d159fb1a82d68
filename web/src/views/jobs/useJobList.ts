import type { Schemas, JobSummary } from "@/api/types";
import {
  type InfiniteData,
  infiniteQueryOptions,
  queryOptions,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { api, data } from "@/api/client";
import { toQuery } from "@/filter/filter";
import { useLive } from "@/live/useLive";
import { merged } from "./merging";
import type { Sort } from "./route";

const PAGE_SIZE = 100;

/** A page, and the moment from which ages in the filter count: the same one on all pages. */
type Page = Schemas["JobPage"] & { readonly asked: number };

async function fetchPage(
  q: string,
  sort: Sort | undefined,
  asked: number,
  cursor: string | null,
  signal: AbortSignal,
): Promise<Page> {
  const query = { ...toQuery(q, asked), page_size: PAGE_SIZE, sort, cursor };
  return { ...(await data(api.GET("/api/jobs/", { params: { query }, signal }))), asked };
}

/** The pages that were loaded. They stay as they are, so that nothing moves under the pointer. */
const pages = (q: string, sort: Sort | undefined) =>
  infiniteQueryOptions({
    queryKey: ["jobs", "pages", q, sort],
    queryFn: ({ pageParam, signal }) =>
      fetchPage(q, sort, pageParam?.asked ?? Date.now(), pageParam?.cursor ?? null, signal),
    initialPageParam: null as { asked: number; cursor: string } | null,
    getNextPageParam: ({ next_cursor: cursor, asked }) => (cursor === null ? null : { asked, cursor }),
    staleTime: Infinity,
  });

/** The first page as it is now. */
const head = (q: string, sort: Sort | undefined) =>
  queryOptions({
    queryKey: ["jobs", "head", q, sort],
    queryFn: ({ signal }) => fetchPage(q, sort, Date.now(), null, signal),
  });

/**
 * The jobs that match, page by page, with what has changed since.
 *
 * Rows stay in their place: their values follow the first page as it is now, what no longer matches is `gone`, and what
 * is newer is counted until `showNewer` is called.
 */
export function useJobList(q: string, sort: Sort | undefined) {
  const client = useQueryClient();
  const listed = useInfiniteQuery(pages(q, sort));
  const newest = useQuery({ ...head(q, sort), enabled: listed.data !== undefined });
  useLive([head(q, sort).queryKey]);

  const known = useMemo(() => listed.data?.pages.flatMap((page) => page.jobs) ?? [], [listed.data]);
  const list = useMemo(() => merged(known, newest.data ?? null, sort), [known, newest.data, sort]);

  const { fetchNextPage, hasNextPage, isFetching } = listed;
  const loadMore = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);

  function showNewer(): void {
    const { queryKey } = pages(q, sort);
    const first = newest.data;
    // The first page is here already; those after it are fetched anew when they come into sight.
    if (first)
      client.setQueryData<InfiniteData<Page>>(queryKey, {
        pages: [first],
        pageParams: [null],
      });
    window.scrollTo({ top: 0 });
  }

  return {
    ...list,
    isLoading: listed.data === undefined && !listed.error,
    error: listed.error ?? newest.error,
    retry: () => void (listed.error ? listed.refetch() : newest.refetch()),
    total: newest.data?.total ?? listed.data?.pages[0]?.total ?? null,
    isAll: listed.data !== undefined && !hasNextPage,
    loadMore,
    showNewer,
  };
}

export type JobRow = JobSummary;
