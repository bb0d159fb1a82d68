import { useState } from "react";
import { deleteWebhook, rotateWebhook, type Webhook, type WebhookCreated, webhooks } from "@/api/admin";
import { useWrite } from "@/api/writes";
import { Dialog } from "@/components/Dialog";
import { SelectField } from "@/components/Field";
import { OVERLAPS, type Overlap } from "@/components/overlaps";
import { ErrorNotice } from "@/components/states";
import { plural } from "@/format/format";

interface RotateSecretProps {
  webhook: Webhook;
  onRotated: (webhook: WebhookCreated) => void;
  onClose: () => void;
}

/** Asks how long messages are signed with the old secret too. */
export function RotateSecret({ webhook: { id }, onRotated, onClose }: RotateSecretProps) {
  const [overlap, setOverlap] = useState<Overlap>("86400");
  const write = useWrite(
    () => rotateWebhook(id, Number(overlap)),
    () => [webhooks.queryKey],
  );
  return (
    <Dialog
      title="Rotate the secret?"
      onClose={onClose}
      footer={
        <>
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Leave it
          </button>
          <button
            type="button"
            className={`btn ${overlap === "0" ? "danger" : "primary"}`}
            disabled={write.isPending}
            onClick={() => {
              write.mutate(undefined, { onSuccess: onRotated });
            }}
          >
            {write.isPending ? "Rotating…" : "Rotate it"}
          </button>
        </>
      }
    >
      <section className="col">
        {write.error && <ErrorNotice error={write.error} />}
        <p>
          The new secret is shown once. While messages are signed with both, set the new one at the receiver.
        </p>
        <SelectField<Overlap>
          label="Messages are signed with the old secret too"
          value={overlap}
          options={OVERLAPS}
          onChange={setOverlap}
        />
      </section>
    </Dialog>
  );
}

interface DeleteWebhookProps {
  webhook: Webhook;
  onDeleted: () => void;
  onClose: () => void;
}

/** Asks before a webhook is deleted: with what is still to be sent to it. */
export function DeleteWebhook({ webhook: { id, url, pending }, onDeleted, onClose }: DeleteWebhookProps) {
  const write = useWrite(
    () => deleteWebhook(id),
    () => [],
  );
  return (
    <Dialog
      title="Delete the webhook?"
      onClose={onClose}
      footer={
        <>
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Leave it
          </button>
          <button
            type="button"
            className="btn danger"
            disabled={write.isPending}
            onClick={() => {
              write.mutate(undefined, { onSuccess: onDeleted });
            }}
          >
            {write.isPending ? "Deleting…" : "Delete it"}
          </button>
        </>
      }
    >
      <section className="col">
        {write.error && <ErrorNotice error={write.error} />}
        <p>
          <code>{url}</code> is told nothing any more. Its secret and its deliveries go
          {pending > 0 && `, and with them ${plural(pending, "message")} still to be sent`}. This can’t be
          taken back.
        </p>
      </section>
    </Dialog>
  );
}
