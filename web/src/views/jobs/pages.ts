/** What the list asks for. The route begins to ask while the code of the view is still loading. */
import { type InfiniteData, infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, data } from "@/api/client";
import type { Schemas } from "@/api/types";
import { toQuery, valueOf } from "@/filter/filter";
import { jobsChangedAt } from "@/live/hints";
import type { JobsSearch, Sort } from "./route";

const PAGE_SIZE = 100;

export type Page = Schemas["JobPage"] & {
  /** When the API was asked: what was told of before is in it. */
  readonly begun: number;
};
/** The cursor of a page; null for the first one. */
export type PageParam = string | null;
export type Pages = InfiniteData<Page>;

/** The order of the list: the API sorts by the last change only within one status. */
export function sortOf({ q = "", sort }: JobsSearch): Sort | undefined {
  return sort?.endsWith("status_changed_at") && valueOf(q, "status") === null ? undefined : sort;
}

async function fetchPage(
  q: string,
  sort: Sort | undefined,
  cursor: PageParam,
  signal: AbortSignal,
): Promise<Page> {
  const begun = Date.now();
  const query = { ...toQuery(q), page_size: PAGE_SIZE, sort, cursor };
  return { ...(await data(api.GET("/api/jobs/", { params: { query }, signal }))), begun };
}

/** The pages that were loaded. They stay as they are, so that nothing moves under the pointer. */
export const pages = (q: string, sort: Sort | undefined) =>
  infiniteQueryOptions({
    queryKey: ["jobs", "pages", q, sort],
    queryFn: async ({ pageParam, signal, client }) => {
      const page = await fetchPage(q, sort, pageParam, signal);
      // It is the first page as it is now, too, unless something has changed meanwhile.
      if (pageParam === null && jobsChangedAt() < page.begun)
        client.setQueryData(head(q, sort).queryKey, page);
      return page;
    },
    initialPageParam: null as PageParam,
    getNextPageParam: ({ next_cursor: cursor }): PageParam => cursor,
    staleTime: Infinity,
  });

/** The first page as it is now. */
export const head = (q: string, sort: Sort | undefined) =>
  queryOptions({
    queryKey: ["jobs", "head", q, sort],
    queryFn: ({ signal }) => fetchPage(q, sort, null, signal),
  });

/** A later page as it is now. */
export const later = (q: string, sort: Sort | undefined, from: PageParam) =>
  queryOptions({
    queryKey: ["jobs", "later", q, sort, from],
    queryFn: ({ signal }) => fetchPage(q, sort, from, signal),
    enabled: from !== null,
  });
