import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";

export interface KeysSearch {
  /** Which keys: those that are accepted, without it. */
  state?: "all";
  /** The id of the key that is looked at. */
  key?: string;
}

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/keys",
  staticData: { menu: { label: "Keys", icon: "key", letter: "k", group: "system", scope: "admin" } },
  validateSearch: ({ state, key }: Record<string, unknown>): KeysSearch => ({
    state: state === "all" ? "all" : undefined,
    key: typeof key === "string" && key !== "" ? key : undefined,
  }),
  component: lazyRouteComponent(() => import("./KeysView"), "KeysView"),
});
