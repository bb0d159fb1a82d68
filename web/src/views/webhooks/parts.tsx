import { Link } from "@tanstack/react-router";
import type { Delivery } from "@/api/admin";

/** What a delivery is about; a job is a link to it. */
export function Subject({ delivery: { event, subject } }: { delivery: Delivery }) {
  if (!/^(job|failure_group)\./.test(event))
    return (
      <span className="mono t-12" title={subject}>
        {subject}
      </span>
    );
  return (
    <Link to="/jobs/$jobId" params={{ jobId: subject }} className="mono t-12" title={`The job ${subject}`}>
      {subject}
    </Link>
  );
}

/** The state of a delivery; red where it was given up. */
export function DeliveryState({ state }: Pick<Delivery, "state">) {
  return (
    <span className={state === "given_up" ? "failed m" : state === "pending" ? "m" : "ink-2"}>
      {state.replaceAll("_", " ")}
    </span>
  );
}
