import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { treeOutline } from "@/api/queries";
import { type Status, STATUSES } from "@/api/types";
import { rootRoute } from "@/shell/rootRoute";

export interface TreeSearch {
  /** The one status whose jobs are shown, with what is above them. */
  status?: Status;
  /** Words of the names that are shown, with what is above them. */
  q?: string;
  /** `off`: each job has a row of its own. */
  fold?: "off";
  /** `off`: the critical path is not marked. */
  path?: "off";
  /** What is not open or closed as it usually is: keys of rows, separated by commas. */
  toggled?: string;
  /** The part of the time axis that is shown, in milliseconds: `from-to`. */
  zoom?: string;
}

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
const off = (value: unknown) => (value === "off" ? value : undefined);

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/jobs/$jobId/tree",
  validateSearch: ({ status, q, fold, path, toggled, zoom }: Record<string, unknown>): TreeSearch => ({
    status: STATUSES.find((each) => each === status),
    q: text(q),
    fold: off(fold),
    path: off(path),
    toggled: text(toggled),
    zoom: text(zoom),
  }),
  // While the code of the view loads; not where the pointer only passes a link, for a tree may be large.
  loader: ({ context, params, cause }) =>
    cause === "preload" ? undefined : void context.queries.prefetchQuery(treeOutline(params.jobId)),
  component: lazyRouteComponent(() => import("./TreeView"), "TreeView"),
});
