import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";
import { TypesCount } from "./TypesCount";
import { type WindowName, windowNamed } from "./windows";

export interface TypesSearch {
  /** A part of the name. */
  q?: string;
  /** The window of the figures. */
  window?: WindowName;
  /** A column, with a minus: the largest first. */
  sort?: string;
}

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/types",
  staticData: { menu: { label: "Types", icon: "types", letter: "t", group: "work", Count: TypesCount } },
  validateSearch: ({ q, window, sort }: Record<string, unknown>): TypesSearch => ({
    q: typeof q === "string" ? q : undefined,
    window: windowNamed(window),
    sort: typeof sort === "string" ? sort : undefined,
  }),
  component: lazyRouteComponent(() => import("./TypesView"), "TypesView"),
});

export interface TypeSearch {
  window?: WindowName;
  /** The id of a job: the form begins with its payload. */
  like?: string;
}

/** A type's own page. */
export const typeRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/types/$name",
  validateSearch: ({ window, like }: Record<string, unknown>): TypeSearch => ({
    window: windowNamed(window),
    like: typeof like === "string" ? like : undefined,
  }),
  component: lazyRouteComponent(() => import("./TypeView"), "TypeView"),
});
