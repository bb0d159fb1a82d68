import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";
import { auditSearch } from "./search";

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/audit",
  staticData: { menu: { label: "Audit", icon: "document", letter: "a", group: "system", scope: "admin" } },
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import("./AuditView"), "AuditView"),
});
