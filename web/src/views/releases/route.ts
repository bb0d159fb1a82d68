import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";

export interface ReleasesSearch {
  /** The old release of a comparison; without it the one before the newest. */
  a?: string;
  /** The new one; without it the newest. */
  b?: string;
}

const label = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/releases",
  staticData: { menu: { label: "Releases", icon: "compare", letter: "r", group: "work" } },
  validateSearch: ({ a, b }: Record<string, unknown>): ReleasesSearch => ({ a: label(a), b: label(b) }),
  component: lazyRouteComponent(() => import("./ReleasesView"), "ReleasesView"),
});
