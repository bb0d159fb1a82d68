import type { Job } from "@/api/types";
import { Link } from "@tanstack/react-router";
import { Facts, Panel } from "@/components/Panel";
import { Time } from "@/components/Time";
import { jobsWith } from "@/filter/filter";
import { shortId } from "@/format/format";

/** What is known of a job, each with a link to what it belongs to. */
export function JobFacts({ job }: { job: Job }) {
  return (
    <Panel title="Facts">
      <Facts
        facts={[
          [
            "Type",
            <Link to="/jobs" search={jobsWith({ type: job.job_type })}>
              {job.job_type}
            </Link>,
          ],
          ["Task", job.task && <code>{job.task}</code>],
          ["Queue", job.queue && <code>{job.queue}</code>],
          ["Worker", job.worker && <code>{job.worker}</code>],
          [
            "Error type",
            job.error_type && (
              <Link to="/jobs" search={jobsWith({ status: "failed", error: job.error_type })}>
                <code>{job.error_type}</code>
              </Link>
            ),
          ],
          ["Priority", job.priority],
          ["Tags", job.tags.length ? <Tags tags={job.tags} /> : null],
          [
            "Group",
            job.group_id && (
              <Link to="/jobs" search={jobsWith({ group: job.group_id })}>
                <code>{shortId(job.group_id)}</code>
              </Link>
            ),
          ],
          ["Origin", job.schedule ? `beat: ${job.schedule}` : job.origin],
          ["Sent from", job.sent_from && <code>{job.sent_from}</code>],
          ["Request", job.request_id && <code>{job.request_id}</code>],
          ["Trace", job.traceparent && <Trace id={job.traceparent} url={job.trace_url} />],
          ["Created", <Time at={job.created_at} />],
          ["Not before", job.not_before && <Time at={job.not_before} />],
          ["Expires", job.expires_at && <Time at={job.expires_at} />],
          ["Cancel asked", job.cancel_requested_at && <Time at={job.cancel_requested_at} />],
        ]}
      />
    </Panel>
  );
}

/** The id of a trace, which leads to it where the API knows its URL. */
function Trace({ id, url }: { id: string; url?: string | null }) {
  const trace = <code>{id.split("-")[1]}</code>;
  if (!url) return trace;
  return (
    <a href={url} target="_blank" rel="noreferrer">
      {trace}
    </a>
  );
}

function Tags({ tags }: { tags: readonly string[] }) {
  return (
    <span className="row wrap tags">
      {tags.map((tag) => (
        <Link key={tag} to="/jobs" search={jobsWith({ tag })} className="tag">
          {tag}
        </Link>
      ))}
    </span>
  );
}
