import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";
import { TypesCount } from "./TypesCount";

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/types",
  staticData: { menu: { label: "Types", icon: "types", letter: "t", group: "work", Count: TypesCount } },
  component: lazyRouteComponent(() => import("./TypesView"), "TypesView"),
});
