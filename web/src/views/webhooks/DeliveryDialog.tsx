import type { Delivery } from "@/api/admin";
import { CopyButton } from "@/components/CopyButton";
import { Dialog } from "@/components/Dialog";
import { Facts } from "@/components/Panel";
import { Time } from "@/components/Time";
import { count, duration, plural } from "@/format/format";
import { DeliveryState, Subject } from "./parts";

interface DeliveryDialogProps {
  delivery: Delivery;
  isSending: boolean;
  off: string | null;
  onRedeliver: () => void;
  onClose: () => void;
}

/** All about one delivery: what is sent, and what became of each attempt. */
export function DeliveryDialog({ delivery, isSending, off, onRedeliver, onClose }: DeliveryDialogProps) {
  const { id, event, state, attempts = [], attempt_count: tried, next_attempt_at: next } = delivery;
  return (
    <Dialog
      title={event}
      className="delivery"
      onClose={onClose}
      footer={
        <>
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Close
          </button>
          <button
            type="button"
            className="btn"
            disabled={isSending || off !== null}
            title={off ?? undefined}
            onClick={onRedeliver}
          >
            {isSending ? "Sending…" : "Send it once more"}
          </button>
        </>
      }
    >
      <div className="delivery-body">
        <Facts
          facts={[
            ["Delivery", <code>{id}</code>],
            ["State", <DeliveryState state={state} />],
            ["Subject", <Subject delivery={delivery} />],
            ["Created", <Time at={delivery.created_at} />],
            ["Next attempt", state === "pending" ? <Time at={next} /> : null],
            ["Redelivered", delivery.redelivered > 0 ? plural(delivery.redelivered, "time") : null],
            [
              "Attempts",
              tried > attempts.length ? `${count(tried)}, the last ${count(attempts.length)}:` : count(tried),
            ],
          ]}
        />
        {attempts.length > 0 && (
          <ol className="pb attempts t-12">
            {attempts.map(({ at, status, error, took_ms: took }) => (
              <li key={at} className="row wrap">
                <Time at={at} />
                <span className={error == null ? "" : "failed"}>
                  {error ?? (status == null ? "sent" : `HTTP ${status}`)}
                </span>
                <span className="dim">{duration(took / 1000)}</span>
              </li>
            ))}
          </ol>
        )}
        <div className="pb">
          <div className="row">
            <h3 className="t-12">Body</h3>
            <CopyButton text={delivery.body} label="Copy the body" iconOnly />
          </div>
          <pre className="json" tabIndex={0} role="group" aria-label="Body">
            {readable(delivery.body)}
          </pre>
        </div>
      </div>
    </Dialog>
  );
}

/** JSON with line breaks; a mail as it is. */
function readable(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
