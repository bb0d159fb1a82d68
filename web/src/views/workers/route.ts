import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";
import { WorkersCount } from "./WorkersCount";

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/workers",
  staticData: {
    menu: { label: "Workers", icon: "server", letter: "w", group: "work", Count: WorkersCount },
  },
  component: lazyRouteComponent(() => import("./WorkersView"), "WorkersView"),
});
