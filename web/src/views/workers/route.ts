import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";
import { WorkersCount } from "./WorkersCount";

export interface WorkersSearch {
  /** The name of the worker that is looked at. */
  worker?: string;
}

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/workers",
  staticData: {
    menu: { label: "Workers", icon: "server", letter: "w", group: "work", Count: WorkersCount },
  },
  validateSearch: ({ worker }: Record<string, unknown>): WorkersSearch => ({
    worker: typeof worker === "string" ? worker : undefined,
  }),
  component: lazyRouteComponent(() => import("./WorkersView"), "WorkersView"),
});
