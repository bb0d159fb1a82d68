import type { JobSummary, Schemas, Status } from "@/api/types";
import {
  type InfiniteData,
  infiniteQueryOptions,
  queryOptions,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import { api, data } from "@/api/client";
import { toQuery } from "@/filter/filter";
import { type JobChange, onHint } from "@/live/hints";
import { useLive } from "@/live/useLive";
import { merged, withPage } from "./merging";
import type { Sort } from "./route";

const PAGE_SIZE = 100;

/** A page, and the moment from which ages in the filter count: the same one on all pages. */
type Page = Schemas["JobPage"] & { readonly asked: number };
type PageParam = { asked: number; cursor: string } | null;

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
    initialPageParam: null as PageParam,
    getNextPageParam: ({ next_cursor: cursor, asked }): PageParam =>
      cursor === null ? null : { asked, cursor },
    staleTime: Infinity,
  });

/** The first page as it is now. */
const head = (q: string, sort: Sort | undefined) =>
  queryOptions({
    queryKey: ["jobs", "head", q, sort],
    queryFn: ({ signal }) => fetchPage(q, sort, Date.now(), null, signal),
  });

/** A later page as it is now. */
const later = (q: string, sort: Sort | undefined, from: PageParam) =>
  queryOptions({
    queryKey: ["jobs", "later", q, sort, from?.cursor ?? null],
    queryFn: ({ signal }) => fetchPage(q, sort, from?.asked ?? Date.now(), from?.cursor ?? null, signal),
    enabled: from !== null,
  });

export type JobRow = JobSummary & { readonly deleted?: true };

/**
 * The jobs that match, page by page, with what has changed since.
 *
 * Rows stay in their place: their values follow the first page and the one in sight as they are now, what no longer
 * matches is `gone`, and what is newer is counted until `showNewer` is called.
 */
export function useJobList(q: string, sort: Sort | undefined) {
  const client = useQueryClient();
  const [sight, setSight] = useState(0);
  const listed = useInfiniteQuery(pages(q, sort));
  const newest = useQuery({ ...head(q, sort), enabled: listed.data !== undefined });
  const inSight = pageOf(listed.data, sight);
  const from = inSight < 1 ? null : ((listed.data?.pageParams[inSight] ?? null) as PageParam);
  const page = useQuery(later(q, sort, from));
  useLive([head(q, sort).queryKey, ...(from ? [later(q, sort, from).queryKey] : [])]);

  const known = useMemo(() => listed.data?.pages.flatMap((each) => each.jobs) ?? [], [listed.data]);
  const told = useTold(known);
  const list = useMemo(() => {
    const first = merged(known, newest.data ?? null, sort);
    const before = { known: listed.data?.pages[inSight]?.jobs ?? [], now: page.data ?? null };
    const all = from === null ? first : withPage(first, before, sort);
    return {
      ...all,
      rows: all.rows.map((job) => (all.gone.has(job.id) ? leftAs(job, told.get(job.id)) : job)),
    };
  }, [known, newest.data, sort, listed.data, inSight, from, page.data, told]);

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
    setSight,
  };
}

/** In which page a row is. */
function pageOf(listed: InfiniteData<Page> | undefined, row: number): number {
  let before = 0;
  return (
    listed?.pages.findIndex(({ jobs }) => {
      before += jobs.length;
      return row < before;
    }) ?? -1
  );
}

/** What hints have said of the rows that are shown. The list itself says nothing more of those that left it. */
function useTold(known: readonly JobSummary[]): ReadonlyMap<string, JobChange> {
  const [told, setTold] = useState<ReadonlyMap<string, JobChange>>(new Map());
  const ids = useMemo(() => new Set(known.map(({ id }) => id)), [known]);
  useEffect(
    () =>
      onHint((hint) => {
        if (hint.kind !== "jobs" || hint.jobs === "many") return;
        const ours = hint.jobs.filter(({ id }) => ids.has(id));
        if (ours.length === 0) return;
        setTold((before) => {
          const kept = [...before].filter(([id]) => ids.has(id));
          return new Map([...kept, ...ours.map((change) => [change.id, change] as const)]);
        });
      }),
    [ids],
  );
  return told;
}

function leftAs(job: JobSummary, told: JobChange | undefined): JobRow {
  if (!told) return job;
  if (told.what.includes("deleted")) return { ...job, deleted: true };
  return { ...job, status: told.status as Status };
}
