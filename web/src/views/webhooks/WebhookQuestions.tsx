import { useState } from "react";
import { deleteWebhook, rotateWebhook, type Webhook, type WebhookCreated, webhooks } from "@/api/admin";
import { useWrite } from "@/api/writes";
import { Question } from "@/components/Question";
import { SelectField } from "@/components/Field";
import { OVERLAPS, type Overlap } from "@/components/overlaps";
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
    <Question
      title="Rotate the secret?"
      action="Rotate it"
      busy="Rotating…"
      isDanger={overlap === "0"}
      write={write}
      onDone={onRotated}
      onClose={onClose}
    >
      <p>
        The new secret is shown once. While messages are signed with both, set the new one at the receiver.
      </p>
      <SelectField<Overlap>
        label="Messages are signed with the old secret too"
        value={overlap}
        options={OVERLAPS}
        onChange={setOverlap}
      />
    </Question>
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
    <Question
      title="Delete the webhook?"
      action="Delete it"
      busy="Deleting…"
      isDanger
      write={write}
      onDone={onDeleted}
      onClose={onClose}
    >
      <p>
        <code>{url}</code> is told nothing any more. Its secret and its deliveries go
        {pending > 0 && `, and with them ${plural(pending, "message")} still to be sent`}. This can’t be taken
        back.
      </p>
    </Question>
  );
}
