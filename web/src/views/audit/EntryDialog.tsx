import { Link } from "@tanstack/react-router";
import type { AuditEntry } from "@/api/admin";
import { CopyButton } from "@/components/CopyButton";
import { Dialog } from "@/components/Dialog";
import { Facts } from "@/components/Panel";
import { Time } from "@/components/Time";
import { count, duration, fullTime } from "@/format/format";
import { OutcomeLabel, Target } from "./columns";
import type { Outcome } from "./search";

const MEANS: Readonly<Record<Outcome, string>> = {
  done: "It was carried out.",
  refused: "It was not carried out: the request was wrong, or not allowed.",
  failed: "It ended with an error, and may be done in part.",
  unknown: "It has begun, and its end is not recorded: it is under way, or its process has died.",
};

/** All that an entry says. */
export function EntryDialog({ entry, onClose }: { entry: AuditEntry; onClose: () => void }) {
  const { principal, action, target, filter, request_id: request, key_id: key } = entry;
  return (
    <Dialog
      title={`${principal ?? "Somebody without a name"}: ${action}`}
      onClose={onClose}
      footer={
        <>
          {principal !== null && (
            <Link to="/audit" search={{ principal }} className="btn">
              All of {principal}
            </Link>
          )}
          {target != null && (
            <Link to="/audit" search={{ job: target }} className="btn">
              All of this target
            </Link>
          )}
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Close
          </button>
        </>
      }
    >
      <section>
        <p className="m">{MEANS[entry.outcome]}</p>
      </section>
      <Facts
        facts={[
          ["Outcome", <OutcomeLabel entry={entry} />],
          [
            "Began",
            <>
              <Time at={entry.at} /> <span className="dim t-11">{fullTime(entry.at)}</span>
            </>,
          ],
          ["Took", entry.took_ms != null && duration(entry.took_ms / 1000)],
          ["Target", target != null && <Target entry={entry} />],
          ["Filter", filter != null && <code>{JSON.stringify(filter)}</code>],
          ["Count", entry.count != null && count(entry.count)],
          ["Key", key != null && <code>{key}</code>],
          ["From", entry.via === "cli" ? "a command on the store itself" : entry.peer],
          [
            "Request",
            request != null && (
              <span className="row wrap">
                <code>{request}</code>
                <CopyButton text={request} label="Copy the request id" iconOnly />
                <span className="dim">The log of the API has it, too.</span>
              </span>
            ),
          ],
        ].map(([name, value]) => [name as string, value === false ? null : value])}
      />
    </Dialog>
  );
}
