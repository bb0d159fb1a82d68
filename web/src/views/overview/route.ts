import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  staticData: { menu: { label: "Overview", icon: "activity", letter: "o", group: "work" } },
  component: lazyRouteComponent(() => import("./OverviewView"), "OverviewView"),
});
