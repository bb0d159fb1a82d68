import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";
import { QueuesCount } from "./QueuesCount";

export interface QueuesSearch {
  /** The queue that is looked at. */
  queue?: string;
}

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/queues",
  staticData: { menu: { label: "Queues", icon: "queue", letter: "q", group: "work", Count: QueuesCount } },
  validateSearch: ({ queue }: Record<string, unknown>): QueuesSearch => ({
    queue: typeof queue === "string" ? queue : undefined,
  }),
  component: lazyRouteComponent(() => import("./QueuesView"), "QueuesView"),
});
