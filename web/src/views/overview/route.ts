import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";

export interface OverviewSearch {
  /** How far back the charts go, as it stands in the address; without it an hour. */
  range?: string;
}

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  staticData: { menu: { label: "Overview", icon: "activity", letter: "o", group: "work" } },
  validateSearch: ({ range }: Record<string, unknown>): OverviewSearch => ({
    range: typeof range === "string" && range !== "1h" ? range : undefined,
  }),
  component: lazyRouteComponent(() => import("./OverviewView"), "OverviewView"),
});
