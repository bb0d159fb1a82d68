import type { Job } from "@/api/types";
import { CopyButton } from "@/components/CopyButton";
import { Icon } from "@/components/Icon";
import { Json } from "@/components/Json";
import { Panel } from "@/components/Panel";
import { bytes, plural } from "@/format/format";
import { maskedIn } from "./clone";

type Value = "payload" | "args" | "result";

/** What the task was called with. Masked values stay masked; what is too large for the page is a download. */
export function Payload({ job }: { job: Job }) {
  const shown = job.args?.length ? { args: job.args, kwargs: job.payload } : job.payload;
  const masked = maskedIn(shown).length;
  const fields =
    typeof job.payload === "object" && job.payload !== null ? Object.keys(job.payload).length : null;
  const { payload, args } = job.large_values;
  const isLarge = payload !== undefined || args !== undefined;
  return (
    <Panel
      title="Payload"
      sub={[fields !== null && !isLarge && plural(fields, "field"), masked > 0 && `${masked} masked`]
        .filter(Boolean)
        .join(", ")}
      actions={shown != null && !isLarge && <CopyButton text={JSON.stringify(shown, null, 2)} />}
    >
      {payload && <Large job={job} value="payload" size={payload.bytes} what="payload" />}
      {args && <Large job={job} value="args" size={args.bytes} what="positional arguments" />}
      {hasNone(job) ? (
        <p className="pb ink-3 t-12">It has no arguments.</p>
      ) : job.arguments_repr ? (
        <>
          <pre className="json pb" tabIndex={0}>
            {job.arguments_repr}
          </pre>
          <p className="pf">Celery’s shortened text: the arguments themselves are not stored.</p>
        </>
      ) : shown == null ? (
        !isLarge && (
          <p className="pb ink-3 t-12">
            Its arguments, if it has any, are not stored. With arguments it can’t be retried or cloned.
          </p>
        )
      ) : (
        <Json value={shown} />
      )}
    </Panel>
  );
}

/** It is known that its task takes nothing: an empty payload, or Celery’s text of no arguments. */
function hasNone({ payload, args, arguments_repr: text, large_values: large }: Job): boolean {
  if (text) return text === "() {}" || text === "[] {}";
  const isEmpty = typeof payload === "object" && payload !== null && Object.keys(payload).length === 0;
  return isEmpty && !args?.length && large.payload === undefined && large.args === undefined;
}

/** What the task returned, or why there is nothing. */
export function Result({ job }: { job: Job }) {
  const large = job.large_values.result;
  return (
    <Panel
      title="Result"
      actions={job.result != null && <CopyButton text={JSON.stringify(job.result, null, 2)} />}
    >
      {large ? (
        <Large job={job} value="result" size={large.bytes} what="result" />
      ) : job.result != null ? (
        <Json value={job.result} />
      ) : (
        <p className="pb ink-3 t-12">{whyNone(job)}</p>
      )}
    </Panel>
  );
}

function whyNone(job: Job): string {
  if (job.result_omitted_bytes != null)
    return `It has ${bytes(job.result_omitted_bytes)}: Celery’s result backend keeps it. ${job.result_omitted_reason ?? ""}`;
  if (job.status === "completed") return "The task returned nothing, or results of its type are not stored.";
  return job.status === "failed" || job.status === "cancelled"
    ? `None: it ${job.status === "failed" ? "failed" : "was cancelled"}.`
    : "None yet: it has not completed.";
}

function Large({ job, value, size, what }: { job: Job; value: Value; size: number; what: string }) {
  const path = `api/jobs/${encodeURIComponent(job.id)}/${value}`;
  return (
    <div className="pb row wrap t-12">
      <span className="ink-2">
        The {what} {what.endsWith("s") ? "have" : "has"} {bytes(size)}, in the object store.
      </span>
      <a
        className="btn small"
        href={new URL(path, document.baseURI).href}
        download={`${job.id}-${value}.json`}
      >
        <Icon name="download" size={12} />
        Download the {what}
      </a>
    </div>
  );
}
