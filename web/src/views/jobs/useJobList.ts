import type { JobSummary } from "@/api/types";
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import { onHint } from "@/live/hints";
import { useLive } from "@/live/useLive";
import { asTold, merged, noted, type Told, withPage } from "./merging";
import { head, later, type PageParam, type Pages, pages } from "./pages";
import type { Sort } from "./route";

/**
 * The jobs that match, page by page, with what has changed since.
 *
 * Rows stay in their place: their status follows the hints at once, and their values the first page and the one in
 * sight as they are now; what no longer matches, or was deleted, is `gone`, and what is newer is counted until `showNewer` is called.
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
    const asOf = new Map<string, number>();
    for (const each of [...(listed.data?.pages ?? []), page.data, newest.data])
      for (const { id } of each?.jobs ?? []) asOf.set(id, each?.begun ?? 0);
    return asTold(all, told, (id) => asOf.get(id) ?? 0);
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
      client.setQueryData<Pages>(queryKey, {
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
    /** How many jobs were looked at. */
    looked: listed.data?.pages.reduce((sum, { looked_at: at }) => sum + (at ?? 0), 0) ?? 0,
    isAll: listed.data !== undefined && !hasNextPage,
    loadMore,
    showNewer,
    setSight,
  };
}

/** In which page a row is. */
function pageOf(listed: Pages | undefined, row: number): number {
  let before = 0;
  return (
    listed?.pages.findIndex(({ jobs }) => {
      before += jobs.length;
      return row < before;
    }) ?? -1
  );
}

/** What hints have said of the rows that are shown. */
function useTold(known: readonly JobSummary[]): ReadonlyMap<string, Told> {
  const [told, setTold] = useState<ReadonlyMap<string, Told>>(new Map());
  const ids = useMemo(() => new Set(known.map(({ id }) => id)), [known]);
  useEffect(
    () =>
      onHint((hint) => {
        if (hint.kind !== "jobs" || hint.jobs === "many") return;
        const ours = hint.jobs.filter(({ id }) => ids.has(id));
        if (ours.length === 0) return;
        const at = Date.now();
        setTold((before) => {
          const kept = [...before].filter(([id]) => ids.has(id));
          return new Map([
            ...kept,
            ...ours.map((each) => [each.id, noted(before.get(each.id), each, at)] as const),
          ]);
        });
      }),
    [ids],
  );
  return told;
}
