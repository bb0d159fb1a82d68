import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/shell/rootRoute";

export interface WebhooksSearch {
  /** The id of the webhook that is looked at. */
  webhook?: string;
  /** Where the page of its deliveries begins. */
  cursor?: string;
  /** The delivery that is looked at. */
  delivery?: string;
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

export const route = createRoute({
  getParentRoute: () => rootRoute,
  path: "/webhooks",
  staticData: { menu: { label: "Webhooks", icon: "bell", letter: "b", group: "system", scope: "admin" } },
  validateSearch: ({ webhook, cursor, delivery }: Record<string, unknown>): WebhooksSearch => ({
    webhook: text(webhook),
    cursor: text(cursor),
    delivery: text(delivery),
  }),
  component: lazyRouteComponent(() => import("./WebhooksView"), "WebhooksView"),
});
