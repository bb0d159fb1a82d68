import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";
import type { Range } from "./span";
import { WorkersCount } from "./WorkersCount";

export interface ClockSpan {
  /** How long the span of the lanes is; without it an hour. */
  range?: Range;
  /** When it ends, in UTC; without it now. */
  until?: string;
}

export interface WorkersSearch {
  /** As they stand in the address: `spanOf` reads them. */
  range?: string;
  until?: string;
  /** The name of the worker that is looked at. */
  worker?: string;
}

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/workers",
  staticData: {
    menu: { label: "Workers", icon: "server", letter: "w", group: "work", Count: WorkersCount },
  },
  validateSearch: ({ worker, range, until }: Record<string, unknown>): WorkersSearch => ({
    worker: typeof worker === "string" ? worker : undefined,
    range: typeof range === "string" && range !== "1h" ? range : undefined,
    until: typeof until === "string" ? until : undefined,
  }),
  component: lazyRouteComponent(() => import("./WorkersView"), "WorkersView"),
});
