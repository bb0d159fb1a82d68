import type { JobType } from "@/api/types";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMay } from "@/api/session";
import { job, jobTypes, performance, performanceSeries, statsByType } from "@/api/queries";
import { Bars } from "@/components/charts/Bars";
import { Lines } from "@/components/charts/Lines";
import { Choose } from "@/components/Choose";
import { Panel } from "@/components/Panel";
import { Answered, Empty, ErrorNotice, Loading } from "@/components/states";
import { jobsWith } from "@/filter/filter";
import { count, duration, plural, UNKNOWN } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";
import { FiguresTable } from "./FiguresTable";
import { NewJob } from "./form/NewJob";
import { typeRoute } from "./route";
import { SchemaPanel } from "./SchemaPanel";
import { RUNS_OF_JOBS, Success, useUsual } from "./Success";
import type { Figures } from "./usual";
import { windowOf } from "./windows";
import "./types.css";

/** One type: its figures over time, its schema, and a form that creates a job of it. */
export function TypeView() {
  const mayCreate = useMay("jobs:create");
  const { name } = typeRoute.useParams();
  const { window } = typeRoute.useSearch();
  const types = useQuery(jobTypes);
  useLive([jobTypes.queryKey], { on: "clock" });
  const type = types.data?.find((each) => each.name === name);
  const jobs = useQuery({ ...statsByType, enabled: types.data !== undefined && type === undefined }).data;
  const ended = useQuery(performance(windowOf(window).hours, name)).data;
  const isUnknown = types.data && !type && jobs && !jobs[name]?.total && ended && !ended.by_type[name]?.count;
  return (
    <View
      title={name}
      heading={
        <h1 className="row cut">
          <Link to="/types" search={{ window }} className="ink-3 plain hide-s">
            Types
          </Link>
          <span className="ink-3 hide-s">/</span>
          <span className="cut">{name}</span>
        </h1>
      }
      actions={
        <Choose
          label="Window of time"
          name="window"
          value={window}
          options={[
            ["24h", "24h"],
            ["7d", "7d"],
            ["31d", "31d"],
          ]}
        />
      }
    >
      {isUnknown ? (
        <Panel title={name}>
          <Empty title="Nothing is known of this type.">
            <p>
              No worker announces it, no job of it is stored, and none ended in the last {window ?? "24h"}.
              Look at <Link to="/types">all types</Link>.
            </p>
          </Empty>
        </Panel>
      ) : (
        <div className="cols type-cols">
          <Figures name={name} type={type} />
          {mayCreate && (
            <div className="type-form">
              <Answered query={types}>
                {() =>
                  type === undefined ? (
                    <Panel title={`New ${name}`}>
                      <Empty title="No worker announces this type now.">
                        <p>
                          A job of it could not start. Start a worker that has its task, see{" "}
                          <Link to="/workers">workers</Link>; its types are shown here {`within 5 s`}.
                        </p>
                      </Empty>
                    </Panel>
                  ) : (
                    <Creation type={type} />
                  )
                }
              </Answered>
            </div>
          )}
          {type && <SchemaPanel type={type} />}
        </div>
      )}
    </View>
  );
}

/** The form, which begins with the payload of another job if the URL names one. */
function Creation({ type }: { type: JobType }) {
  const { like } = typeRoute.useSearch();
  const other = useQuery({ ...job(like ?? ""), enabled: like !== undefined });
  if (like !== undefined && other.isPending)
    return (
      <Panel title={`New ${type.name}`}>
        <Loading />
      </Panel>
    );
  return (
    <div className="type-form">
      {other.error && <ErrorNotice error={other.error} />}
      <NewJob key={`${type.name} ${other.data?.id ?? ""}`} type={type} like={other.data} />
    </div>
  );
}

function Figures({ name, type }: { name: string; type: JobType | undefined }) {
  const { window } = typeRoute.useSearch();
  const { hours, bucketHours } = windowOf(window);
  const usual = useUsual(window, name).data?.by_type[name];
  const report = useQuery({ ...performance(hours, name), placeholderData: keepPreviousData });
  const series = useQuery(performanceSeries(name, hours, bucketHours));
  useLive([["performance"], ["performance-series", name]]);
  const figures = report.data?.by_type[name];
  const columns = series.data?.by_type[name];
  const at = series.data?.at;
  const span = window ?? "24h";
  const lines = (what: "run" | "wait") =>
    (["p50", "p95", "p99"] as const).map((part) => ({
      label: part,
      values: columns?.[`${what}_${part}_s`] ?? [],
      overall: figures?.[what][`${part}_s`],
    }));
  return (
    <Panel
      title={name}
      sub={type && aboutOf(type)}
      foot={
        <span>
          Of the runs that ended in the last {span}, in whole hours: a job that failed and was retried has
          two. Percentiles are within 2 %. Jobs taken for lost have no run time.
        </span>
      }
    >
      {report.error && <ErrorNotice error={report.error} onRetry={() => void report.refetch()} />}
      {series.error && <ErrorNotice error={series.error} onRetry={() => void series.refetch()} />}
      <Totals name={name} since={report.data?.since ?? span} figures={figures} usual={usual} />
      <Lines title="Run time" at={at} lines={lines("run")} />
      <Lines title="Wait before the start" at={at} lines={lines("wait")} height={88} />
      <Bars
        title={
          bucketHours === 1
            ? "Runs ended per hour"
            : bucketHours === 24
              ? "Runs ended per day"
              : `Runs ended per ${bucketHours} h`
        }
        at={at}
        stacks={(["completed", "failed", "cancelled"] as const).map((status) => ({
          status,
          values: columns?.[status] ?? [],
        }))}
      />
      {at && columns && <FiguresTable at={at} columns={columns} />}
    </Panel>
  );
}

function aboutOf(type: JobType): string {
  const parts = [
    type.task === "" || type.task === type.name ? "" : `task ${type.task}`,
    type.queue === null || type.queue === undefined ? "the default queue" : `queue ${type.queue}`,
    type.acks_late ? "acks_late" : "acknowledged when it begins",
    `${plural(type.max_deliveries, "delivery", "deliveries")} at most`,
    type.on_lost === "fail" ? "fails if its worker is lost" : `on_lost ${type.on_lost}`,
  ];
  return parts.filter((part) => part !== "").join(" · ");
}

function Totals({
  name,
  since,
  figures,
  usual,
}: {
  name: string;
  /** As the filter of the list has it. */
  since: string;
  figures: Figures | undefined;
  usual: Figures | undefined;
}) {
  const link = (value: number | undefined, status?: string) => (
    <Link to="/jobs" search={jobsWith({ type: name, status, finished: since })} title={RUNS_OF_JOBS}>
      {count(value)}
    </Link>
  );
  const facts: readonly (readonly [string, React.ReactNode])[] = [
    ["Runs ended", link(figures?.count)],
    ["Success", <Success figures={figures ?? null} usual={usual} />],
    ["Failed runs", link(figures?.failed, "failed")],
    ["Cancelled runs", link(figures?.cancelled, "cancelled")],
    ["Redelivered", count(figures?.redeliveries)],
    ["Ran twice", count(figures?.double_runs)],
    ["Wasted", figures === undefined ? UNKNOWN : figures.wasted_s === 0 ? "0 s" : duration(figures.wasted_s)],
  ];
  return (
    <dl className="type-figures">
      {facts.map(([title, value]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
