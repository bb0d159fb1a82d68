import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";

export interface JobSearch {
  /** Words that are searched in the log. */
  log?: string;
  /** The one level of the log that is shown. */
  level?: string;
}

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/jobs/$jobId",
  validateSearch: ({ log, level }: Record<string, unknown>): JobSearch => ({
    log: text(log),
    level: text(level),
  }),
  component: lazyRouteComponent(() => import("./JobView"), "JobView"),
});
