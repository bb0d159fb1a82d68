import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";
import { JobsCount } from "./JobsCount";
import { pages, sortOf } from "./pages";

const SORTS = ["created_at", "-created_at", "status_changed_at", "-status_changed_at"] as const;
export type Sort = (typeof SORTS)[number];

export interface JobsSearch {
  /** The filter, as in the search box (filter/filter.ts). */
  q?: string;
  sort?: Sort;
  /** The columns that are shown, if they are not the usual ones, separated by commas. */
  columns?: string;
}

/** The search of the list, of what a URL or a saved filter has. */
export function jobsSearch({ q, sort, columns }: Record<string, unknown>): JobsSearch {
  return {
    q: typeof q === "string" ? q : undefined,
    sort: SORTS.find((each) => each === sort),
    columns: typeof columns === "string" ? columns : undefined,
  };
}

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/jobs",
  staticData: { menu: { label: "Jobs", icon: "list", letter: "j", group: "work", Count: JobsCount } },
  validateSearch: jobsSearch,
  loaderDeps: ({ search }) => ({ q: search.q, sort: sortOf(search) }),
  // The view shows what becomes of it, and asks itself if it failed.
  loader: ({ context, deps }) => void context.queries.prefetchInfiniteQuery(pages(deps.q ?? "", deps.sort)),
  component: lazyRouteComponent(() => import("./JobsView"), "JobsView"),
});
