import { SETTLED } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { explanation, history, job as jobQuery, log } from "@/api/queries";
import { CopyButton } from "@/components/CopyButton";
import { StatusLabel } from "@/components/Icon";
import { Json } from "@/components/Json";
import { Panel } from "@/components/Panel";
import { Answered } from "@/components/states";
import { Time } from "@/components/Time";
import { Traceback } from "@/components/Traceback";
import { bytes, plural } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";
import { JobFacts } from "./JobFacts";
import { JobLog } from "./JobLog";
import { Summary } from "./Summary";
import { Timeline } from "./Timeline";
import "./job.css";

const route = getRouteApi("/jobs/$jobId");

/** One job: first why it is as it is, then what is known of it, then how it came. */
export function JobView() {
  const { jobId } = route.useParams();
  const job = useQuery(jobQuery(jobId));
  const why = useQuery(explanation(jobId));
  const past = useQuery(history(jobId));
  const lines = useQuery(log(jobId));
  useLive([jobQuery(jobId).queryKey], { job: jobId });

  const name = job.data?.name ?? "Job";
  return (
    <View title={name} heading={<Heading name={name} id={jobId} />}>
      <Answered query={job}>
        {(found) => (
          <>
            <div className="row wrap job-head">
              <StatusLabel status={found.status} chip />
              <span className="ink-2">
                <Time at={found.status_changed_at} />, <Time at={found.status_changed_at} as="ago" />
                {SETTLED.has(found.status) && found.reason ? ` · ${found.reason}` : ""}
              </span>
            </div>
            <Answered query={why} rows={2}>
              {(explained) => <Summary why={explained} job={found} />}
            </Answered>
            <div className="cols job-cols">
              <div className="col job-col">
                <Panel title="What happened" sub={past.data && plural(past.data.length, "event")}>
                  <Answered query={past}>{(entries) => <Timeline entries={entries} />}</Answered>
                </Panel>
                {found.error && (
                  <Panel
                    title="Error"
                    sub={found.error.type}
                    actions={
                      <CopyButton
                        text={found.error.traceback ?? `${found.error.type}: ${found.error.message}`}
                      />
                    }
                  >
                    <Traceback {...found.error} />
                  </Panel>
                )}
                <Answered query={lines} rows={3}>
                  {(found) => <JobLog lines={found} />}
                </Answered>
              </div>
              <div className="col job-col">
                <JobFacts job={found} />
                <Panel title="Payload" actions={<CopyButton text={JSON.stringify(found.payload, null, 2)} />}>
                  {found.arguments_repr ? (
                    <pre className="json pb" tabIndex={0}>
                      {found.arguments_repr}
                    </pre>
                  ) : (
                    <Json
                      value={found.args?.length ? { args: found.args, kwargs: found.payload } : found.payload}
                    />
                  )}
                </Panel>
                <Panel
                  title="Result"
                  actions={
                    found.result != null && <CopyButton text={JSON.stringify(found.result, null, 2)} />
                  }
                >
                  <Result job={found} />
                </Panel>
              </div>
            </div>
          </>
        )}
      </Answered>
    </View>
  );
}

function Result({
  job,
}: {
  job: { status: string; result?: unknown; result_omitted_bytes?: number | null };
}) {
  if (job.result_omitted_bytes != null) {
    return (
      <p className="pb ink-3 t-12">
        It has {bytes(job.result_omitted_bytes)}: Celery’s result backend keeps it.
      </p>
    );
  }
  if (job.result != null) return <Json value={job.result} />;
  return (
    <p className="pb ink-3 t-12">
      {job.status === "completed" ? "The task returned nothing." : "None: it has not completed."}
    </p>
  );
}

function Heading({ name, id }: { name: string; id: string }) {
  return (
    <>
      <Link to="/jobs" className="btn ghost crumb">
        Jobs
      </Link>
      <span className="ink-3" aria-hidden="true">
        /
      </span>
      <h1 className="cut job-title">{name}</h1>
      <span className="row hide-s mono t-12 ink-3 job-id">
        <span className="cut">{id}</span>
        <CopyButton text={id} label="Copy the ID" iconOnly />
      </span>
    </>
  );
}
