import { testWebhook, updateWebhook, type Webhook, webhooks } from "@/api/admin";
import { useWrite } from "@/api/writes";
import { Icon } from "@/components/Icon";
import { Facts, Panel } from "@/components/Panel";
import { ErrorNotice } from "@/components/states";
import { Time } from "@/components/Time";
import { count, duration, plural } from "@/format/format";
import { WebhookState } from "./columns";
import { filterOf, switched } from "./wanted";

export type Question = "edit" | "rotate" | "delete";

interface WebhookDetailProps {
  webhook: Webhook;
  off: string | null;
  onAsk: (question: Question) => void;
  /** A test is on its way: it stands in the deliveries. */
  onTested: () => void;
}

/** All about the webhook that is looked at, and what can be done with it. */
export function WebhookDetail({ webhook, off, onAsk, onTested }: WebhookDetailProps) {
  const { id, enabled } = webhook;
  const testing = useWrite(
    () => testWebhook(id),
    () => [webhooks.queryKey],
  );
  const switching = useWrite(
    (next: boolean) => updateWebhook(id, switched(webhook, next)),
    () => [webhooks.queryKey],
  );
  const isBusy = off !== null || testing.isPending || switching.isPending;
  const error = testing.error ?? switching.error;
  const ask = (question: Question, label: string) => (
    <button
      type="button"
      className="btn"
      disabled={isBusy}
      title={off ?? undefined}
      onClick={() => {
        onAsk(question);
      }}
    >
      {label}…
    </button>
  );

  return (
    <Panel
      title={<span className="webhook-url">{webhook.url}</span>}
      sub={<code>{id}</code>}
      actions={
        <span className="row wrap webhook-actions">
          <button
            type="button"
            className="btn"
            disabled={isBusy || !enabled}
            title={off ?? (enabled ? undefined : "It is disabled: nothing is sent.")}
            onClick={() => {
              switching.reset();
              testing.mutate(undefined, { onSuccess: onTested });
            }}
          >
            {testing.isPending ? "Sending…" : "Send a test"}
          </button>
          <button
            type="button"
            className="btn"
            disabled={isBusy}
            title={off ?? undefined}
            onClick={() => {
              testing.reset();
              switching.mutate(!enabled);
            }}
          >
            {switching.isPending
              ? switching.variables
                ? "Enabling…"
                : "Disabling…"
              : enabled
                ? "Disable"
                : "Enable"}
          </button>
          {ask("edit", "Edit")}
          {ask("rotate", "Rotate the secret")}
          {ask("delete", "Delete")}
        </span>
      }
    >
      {error && <ErrorNotice error={error} />}
      {webhook.disabled_reason != null && (
        <div className="notice bad">
          <Icon name="alert" />
          <div>
            <b>
              jobtracker has disabled it at <Time at={webhook.disabled_at} />:
            </b>{" "}
            {webhook.disabled_reason} What was pending is given up. Enable it to have it tried anew.
          </div>
        </div>
      )}
      {webhook.dropped > 0 && (
        <div className="notice warn">
          <Icon name="alert" />
          <div>
            <b>{plural(webhook.dropped, "delivery", "deliveries")} left out:</b> more than 5,000 were pending.
          </div>
        </div>
      )}
      <p className="sr" role="status">
        {testing.isSuccess && "A test is being sent: it stands in the deliveries."}
        {switching.isSuccess && (enabled ? "It is enabled." : "It is disabled.")}
      </p>
      <Facts
        facts={[
          ["State", <WebhookState webhook={webhook} />],
          ["Description", webhook.description],
          ["Events", webhook.events.join(", ")],
          ["Of", filterOf(webhook)],
          ["Old after", webhook.events.includes("queue.older_than") ? duration(webhook.older_than_s) : null],
          ["Template", webhook.template == null ? null : <code>{webhook.template}</code>],
          ["Created", <Time at={webhook.created_at} />],
          [
            "Last taken",
            webhook.delivered_at == null ? "never" : <Time at={webhook.delivered_at} as="ago" />,
          ],
          ["Failing since", webhook.failing_since == null ? null : <Time at={webhook.failing_since} />],
          ["Pending", count(webhook.pending)],
          ["Signed with", webhook.secrets_in_use > 1 ? "the secret, and the one before it" : "the secret"],
        ]}
      />
    </Panel>
  );
}
