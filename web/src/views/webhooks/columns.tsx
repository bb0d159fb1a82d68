import type { Webhook } from "@/api/admin";
import type { Column } from "@/components/Grid";
import { Time, useNow } from "@/components/Time";
import { count } from "@/format/format";
import { filterOf, stateOf } from "./wanted";

/** How a webhook does; red where somebody is needed. */
export function WebhookState({ webhook }: { webhook: Webhook }) {
  const { text, isBad } = stateOf(webhook, useNow());
  return (
    <span
      className={isBad ? "failed m" : webhook.enabled ? "" : "dim"}
      title={webhook.disabled_reason ?? undefined}
    >
      {text}
    </span>
  );
}

export const COLUMNS: readonly Column<Webhook>[] = [
  {
    id: "url",
    title: "Address",
    width: "minmax(180px, 1.4fr)",
    cell: ({ url, description }) => (
      <span title={url}>
        <span className="name">{url}</span> <span className="dim t-12">{description}</span>
      </span>
    ),
  },
  {
    id: "events",
    title: "Events",
    width: "minmax(120px, 1fr)",
    cell: ({ events }) => <span title={events.join(", ")}>{events.join(", ")}</span>,
  },
  {
    id: "filter",
    title: "Of",
    width: "minmax(80px, 0.8fr)",
    wide: true,
    cell: (webhook) => (
      <span className="dim" title={filterOf(webhook)}>
        {filterOf(webhook)}
      </span>
    ),
  },
  { id: "state", title: "State", width: "130px", cell: (webhook) => <WebhookState webhook={webhook} /> },
  { id: "pending", title: "Pending", width: "64px", align: "right", cell: ({ pending }) => count(pending) },
  {
    id: "delivered",
    title: "Last taken",
    width: "96px",
    align: "right",
    cell: ({ delivered_at: at }) =>
      at == null ? <span className="dim">never</span> : <Time at={at} as="ago" />,
  },
];
