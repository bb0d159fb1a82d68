import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";
import { QueuesCount } from "./QueuesCount";

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/queues",
  staticData: { menu: { label: "Queues", icon: "queue", letter: "q", group: "work", Count: QueuesCount } },
  component: lazyRouteComponent(() => import("./QueuesView"), "QueuesView"),
});
