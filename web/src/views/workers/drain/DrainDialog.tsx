import type { Drain, WorkerFigures } from "@/api/fleet";
import { Dialog } from "@/components/Dialog";
import { Icon, StatusIcon } from "@/components/Icon";
import { Time } from "@/components/Time";
import { count, plural } from "@/format/format";
import { FATES, fatesOf, queuesLeftAlone, splitOf } from "./numbers";

interface DrainDialogProps {
  drain: Drain;
  all: readonly WorkerFigures[];
  onDrain: () => void;
  onClose: () => void;
}

/** Asks before a drain, in numbers: what goes on, what waits there, and who takes its queues meanwhile. */
export function DrainDialog({ drain, all, onDrain, onClose }: DrainDialogProps) {
  const { waiting } = splitOf(drain);
  const queues = drain.queues ?? [];
  const alone = queuesLeftAlone(drain.worker, queues, all);
  return (
    <Dialog
      title={`Drain ${drain.worker}?`}
      onClose={onClose}
      footer={
        <>
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Cancel
          </button>
          <button
            type="button"
            className={`btn ${alone.length > 0 ? "danger" : "primary"}`}
            onClick={onDrain}
          >
            Drain it
          </button>
        </>
      }
    >
      <section>
        <div className="sum">
          <b>{count(drain.running)}</b>
          <StatusIcon status="running" />
          <div>
            <p className="m">
              {drain.running === 1 ? "job that it runs goes on" : "jobs that it runs go on"} until{" "}
              {drain.running === 1 ? "it ends" : "they end"}
            </p>
            {drain.finish_at != null && (
              <p className="t-12 ink-2">
                {drain.running === 1 ? "It is" : "Each is"} done by about <Time at={drain.finish_at} />, with
                95 % probability.
              </p>
            )}
          </div>
        </div>
        <div className="sum">
          <b>{count(drain.waiting)}</b>
          <StatusIcon status="pending" />
          <div>
            <p className="m">{drain.waiting === 1 ? "message" : "messages"} fetched and not begun</p>
            <p className="t-12 ink-2">
              It goes on with them. If it is stopped before:{" "}
              {fatesOf(waiting, "if_stopped")
                .map(({ fate, jobs }) => `${count(jobs)} ${FATES[fate]}`)
                .join("; ") || "nothing happens to any"}
              .
            </p>
          </div>
        </div>
        <div className="sum">
          <b>{count(queues.length)}</b>
          <Icon name={alone.length > 0 ? "alert" : "queue"} />
          <div>
            <p className="m">
              {queues.length === 1 ? "queue" : "queues"} from which it takes nothing new: {queues.join(", ")}
            </p>
            <p className={`t-12 ${alone.length > 0 ? "failed b" : "ink-2"}`}>
              {alone.length > 0
                ? `Nobody else consumes ${alone.join(", ")}: what is sent there waits.`
                : "Other workers consume each of them."}
            </p>
          </div>
        </div>
      </section>
      <section className="t-12 ink-2">
        <p>
          It can be taken back: <b>Undo the drain</b> lets it consume again. If the worker is started again,
          it consumes again. {plural(drain.running ?? 0, "job")} would be there to wait for; the page says
          when it is safe to stop.
        </p>
      </section>
    </Dialog>
  );
}
