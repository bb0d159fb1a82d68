import { useState } from "react";
import { createWebhook, updateWebhook, type Webhook, type WebhookCreated, webhooks } from "@/api/admin";
import { useWrite } from "@/api/writes";
import { Checks } from "@/components/Checks";
import { TextField } from "@/components/Field";
import { FormDialog, LimitFields } from "@/components/FormDialog";
import { ALL_EVENTS, type Draft, draftOf, EVENTS, flawOf, wantedOf } from "./wanted";

interface WebhookFormProps {
  /** The one to change; null: a new one. */
  webhook: Webhook | null;
  onCreated: (webhook: WebhookCreated) => void;
  onClose: () => void;
}

/** Asks where messages go, and what is told. */
export function WebhookForm({ webhook, onCreated, onClose }: WebhookFormProps) {
  const [draft, setDraft] = useState<Draft>(() => draftOf(webhook));
  const [flaw, setFlaw] = useState<string | null>(null);
  const change = (next: Partial<Draft>) => {
    setDraft({ ...draft, ...next });
    setFlaw(null);
  };
  const write = useWrite(
    async (wanted: Draft) => {
      if (webhook !== null) await updateWebhook(webhook.id, wantedOf(wanted, webhook.enabled));
      else return createWebhook(wantedOf(wanted, true));
    },
    () => [webhooks.queryKey],
  );

  function submit(): void {
    const found = flawOf(draft);
    setFlaw(found);
    if (found !== null) return;
    write.mutate(draft, {
      onSuccess: (created) => {
        if (created) onCreated(created);
        else onClose();
      },
    });
  }

  return (
    <FormDialog
      title={webhook === null ? "Create a webhook" : "Edit the webhook"}
      action={webhook === null ? "Create it" : "Save"}
      busy={webhook === null ? "Creating…" : "Saving…"}
      write={write}
      flaw={flaw}
      onSubmit={submit}
      onClose={onClose}
    >
      <TextField
        label="Address"
        hint="https://…, or mailto:somebody@example.com if mail is set up. Private addresses are refused unless WEBHOOK_ALLOWED_NETWORKS names them."
        value={draft.url}
        maxLength={2000}
        isRequired
        onChange={(url) => {
          change({ url });
        }}
      />
      <Checks
        legend="It is told when"
        about={EVENTS}
        all={ALL_EVENTS}
        chosen={draft.events}
        onChange={(events) => {
          change({ events });
        }}
      />
      {draft.events.includes("queue.older_than") && (
        <TextField
          label="A message is old after, in seconds"
          value={draft.olderThan}
          onChange={(olderThan) => {
            change({ olderThan });
          }}
        />
      )}
      <LimitFields types={draft.types} tags={draft.tags} onChange={change} />
      <TextField
        label="Only these queues"
        hint="One on each line: their jobs, the queues themselves, and workers of them. Empty: all."
        rows={2}
        value={draft.queues}
        onChange={(queues) => {
          change({ queues });
        }}
      />
      <TextField
        label="Template"
        hint="What is posted instead of the message: JSON with placeholders such as ${type} and ${data.summary} within quotes. Empty: the message itself."
        rows={3}
        maxLength={8000}
        value={draft.template}
        onChange={(template) => {
          change({ template });
        }}
      />
      <TextField
        label="Description"
        value={draft.description}
        maxLength={200}
        onChange={(description) => {
          change({ description });
        }}
      />
    </FormDialog>
  );
}
