import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";
import { FailuresCount } from "./FailuresCount";
import { failuresSearch } from "./search";

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/failures",
  staticData: {
    menu: { label: "Failures", icon: "alert", letter: "f", group: "work", Count: FailuresCount },
  },
  validateSearch: failuresSearch,
  component: lazyRouteComponent(() => import("./FailuresView"), "FailuresView"),
});
