import { type FormEvent, useId, useState } from "react";
import { createWebhook, updateWebhook, type Webhook, type WebhookCreated, webhooks } from "@/api/admin";
import { useWrite } from "@/api/writes";
import { Checks } from "@/components/Checks";
import { Dialog } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { Icon } from "@/components/Icon";
import { ErrorNotice } from "@/components/states";
import { ALL_EVENTS, type Draft, draftOf, EVENTS, flawOf, wantedOf } from "./wanted";

interface WebhookFormProps {
  /** The one to change; null: a new one. */
  webhook: Webhook | null;
  onCreated: (webhook: WebhookCreated) => void;
  onClose: () => void;
}

/** Asks where messages go, and what is told. */
export function WebhookForm({ webhook, onCreated, onClose }: WebhookFormProps) {
  const id = useId();
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

  function submit(event: FormEvent): void {
    event.preventDefault();
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
    <Dialog
      title={webhook === null ? "Create a webhook" : "Edit the webhook"}
      className="tall"
      onClose={onClose}
      footer={
        <>
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" form={id} className="btn primary" disabled={write.isPending}>
            {webhook === null
              ? write.isPending
                ? "Creating…"
                : "Create it"
              : write.isPending
                ? "Saving…"
                : "Save"}
          </button>
        </>
      }
    >
      <form id={id} onSubmit={submit} noValidate>
        <section className="col">
          {write.error && <ErrorNotice error={write.error} />}
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
          <TextField
            label="Only jobs of these types"
            hint="One on each line. Empty: of all types."
            rows={2}
            value={draft.types}
            onChange={(types) => {
              change({ types });
            }}
          />
          <TextField
            label="Only jobs with one of these tags"
            hint="One on each line. Empty: with any or none."
            rows={2}
            value={draft.tags}
            onChange={(tags) => {
              change({ tags });
            }}
          />
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
          {flaw !== null && (
            <p className="row failed t-12" role="alert">
              <Icon name="alert" size={12} /> {flaw}
            </p>
          )}
        </section>
      </form>
    </Dialog>
  );
}
