import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";
import { type Range, RANGES } from "./series";

export interface OverviewSearch {
  /** How far back the charts go; without it an hour. */
  range?: Exclude<Range, "1h">;
}

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  staticData: { menu: { label: "Overview", icon: "activity", letter: "o", group: "work" } },
  validateSearch: ({ range }: Record<string, unknown>): OverviewSearch => ({
    range:
      typeof range === "string" && range in RANGES && range !== "1h"
        ? (range as OverviewSearch["range"])
        : undefined,
  }),
  component: lazyRouteComponent(() => import("./OverviewView"), "OverviewView"),
});
