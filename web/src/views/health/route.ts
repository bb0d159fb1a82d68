import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/health",
  staticData: { menu: { label: "Health", icon: "heart", letter: "h", group: "system" } },
  component: lazyRouteComponent(() => import("./HealthView"), "HealthView"),
});
