import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";
import { QueuesCount } from "./QueuesCount";

export interface QueuesSearch {
  /** The queue that is looked at. */
  queue?: string;
  /** Of which time the figures are; without it of the last five minutes. */
  window?: "1h";
  /** How far back the charts go; without it an hour. */
  back?: "6h";
}

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/queues",
  staticData: { menu: { label: "Queues", icon: "queue", letter: "q", group: "work", Count: QueuesCount } },
  validateSearch: ({ queue, window, back }: Record<string, unknown>): QueuesSearch => ({
    queue: typeof queue === "string" ? queue : undefined,
    window: window === "1h" ? window : undefined,
    back: back === "6h" ? back : undefined,
  }),
  component: lazyRouteComponent(() => import("./QueuesView"), "QueuesView"),
});
