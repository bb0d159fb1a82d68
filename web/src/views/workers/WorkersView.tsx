import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { workerReport } from "@/api/fleet";
import type { Schemas } from "@/api/types";
import { activeJobs, ACTIVE_LIMIT, workers } from "@/api/queries";
import { CopyButton } from "@/components/CopyButton";
import { Grid } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { Answered, Empty, ErrorNotice } from "@/components/states";
import { Unread } from "@/components/Unread";
import { clock, count, duration, plural } from "@/format/format";
import { useLive } from "@/live/useLive";
import { POLL_S } from "@/live/polling";
import { View } from "@/shell/View";
import { route } from "./route";
import { spanOf } from "./span";
import { WorkerDetail } from "./WorkerDetail";
import { linesOf, rowsOf, slotsOf, type WorkerRow } from "./workerRows";
import { COLUMNS, type WorkerLine } from "./columns";
import { ByType } from "./ByType";
import { DrainPanel } from "./drain/DrainPanel";
import { LanesPanel } from "./lanes/LanesPanel";
import "./workers.css";

type WorkerReport = Schemas["WorkerReport"];

/** The workers: what they ran when, whether one is safe to stop, and how they do beside each other. */
export function WorkersView() {
  const { worker: looked, range, until } = route.useSearch();
  const span = spanOf({ range, until });
  const navigate = useNavigate({ from: "/workers" });
  const found = useQuery(workers);
  const active = useQuery(activeJobs);
  const report = useQuery(workerReport);
  useLive([workers.queryKey, workerReport.queryKey], { on: "clock" });
  useLive([activeJobs.queryKey]);
  const figures = report.data?.workers ?? [];
  const rows = found.data && linesOf(rowsOf(found.data, active.data?.jobs ?? []), figures);
  return (
    <View title="Workers" sub={rows && summaryOf(rows)}>
      <Unread
        given={{ range, until }}
        read={{ ...span }}
        instead={`The lanes show ${span.range ?? "an hour"} up to ${span.until === undefined ? "now" : "that time"}.`}
      />
      <Answered query={found}>
        {() => {
          const each = rows ?? [];
          const chosen =
            looked === undefined && each.length === 1 ? each[0] : each.find(({ name }) => name === looked);
          return (
            <>
              {each
                .filter(({ state, running }) => state === "lost" && running.length > 0)
                .map((row) => (
                  <Lost key={row.key} row={row} />
                ))}
              {each.length > 0 && <LanesPanel workers={figures} chosen={chosen?.name} />}
              {report.error && <ErrorNotice error={report.error} />}
              {report.data?.unavailable.map((reason) => (
                <div key={reason} className="notice warn">
                  <Icon name="alert" />
                  <div>{reason}</div>
                </div>
              ))}
              <section className="panel" aria-label="Workers">
                {each.length === 0 ? (
                  <NoWorker />
                ) : (
                  <Grid
                    label="Workers"
                    className="fold workers"
                    columns={COLUMNS}
                    rows={each}
                    rowKey={({ key }) => key}
                    rowClass={({ key }) => (key === chosen?.key ? "sel" : "")}
                    onOpen={({ name }) =>
                      void navigate({
                        to: "/workers",
                        search: (old) => ({ ...old, worker: name === looked ? undefined : name }),
                        replace: true,
                        resetScroll: false,
                      })
                    }
                  />
                )}
                <div className="pf wrap">
                  {report.data && <span>{basisOf(report.data)}</span>}
                  {(active.data?.total ?? 0) > ACTIVE_LIMIT && (
                    <span>
                      Names are shown for the {ACTIVE_LIMIT} longest-running of {count(active.data?.total)}{" "}
                      jobs.
                    </span>
                  )}
                </div>
              </section>
              {chosen && <Chosen row={chosen} report={report.data} />}
              {looked !== undefined && chosen === undefined && (
                <div className="notice warn">
                  <Icon name="info" />
                  <div>
                    Nothing is known of a worker <code>{looked}</code>: it has been gone for more than a day,
                    or its name is another one. What it ran may be above.
                  </div>
                </div>
              )}
            </>
          );
        }}
      </Answered>
    </View>
  );
}

/** What is known of one worker: may it be stopped, is it slow, and how it was started. */
function Chosen({ row, report }: { row: WorkerLine; report: WorkerReport | undefined }) {
  const isTracked = row.stats?.lease != null && (row.state === "online" || row.state === "silent");
  return (
    <>
      {isTracked && row.figures && (
        <DrainPanel key={row.name} figures={row.figures} all={report?.workers ?? []} />
      )}
      {row.figures && report && <ByType figures={row.figures} report={report} />}
      <WorkerDetail row={row} hasTasks={!isTracked} />
    </>
  );
}

/** What the figures are of. */
function basisOf({ looked_at, settled, since }: WorkerReport): string {
  const from = clock(since, Date.now());
  const all = looked_at < settled ? ` of ${count(settled)}` : "";
  return `Figures are of the ${plural(looked_at, "job")}${all} that settled last, since ${from}.`;
}

function summaryOf(rows: readonly WorkerLine[]): string {
  const of = (state: WorkerRow["state"]) => rows.filter((row) => row.state === state).length;
  const { all, taken } = slotsOf(rows);
  const parts = [
    `${of("online")} online`,
    of("silent") > 0 ? `${of("silent")} silent` : "",
    of("lost") > 0 ? `${of("lost")} lost` : "",
    of("stopped") > 0 ? `${of("stopped")} stopped` : "",
    all > 0 ? `${taken} of ${all} slots taken` : "",
  ];
  return parts.filter((part) => part !== "").join(" · ");
}

function Lost({ row: { name, running } }: { row: WorkerRow }) {
  return (
    <div className="notice bad">
      <Icon name="lost" />
      <div>
        <b>
          Worker <code>{name}</code> is lost.
        </b>{" "}
        Its lease ran out. {plural(running.length, "job")} ran on it; open a job to see what happens. The
        rescuer decides by itself whether each fails or runs again.
      </div>
      <Link to="/workers" search={{ worker: name }} replace className="btn">
        Show {plural(running.length, "job")}
      </Link>
    </div>
  );
}

function NoWorker() {
  const command = "celery -A your_app worker";
  return (
    <Empty title="No worker is known.">
      <p>Start one, with the broker of this API. It shows up within {duration(POLL_S).replace(".0", "")}:</p>
      <p className="row">
        <code>{command}</code> <CopyButton text={command} label="Copy the command" />
      </p>
      <p className="ink-2">
        Nothing is there though one runs? Its CELERY_BROKER_URL may be another one: compare it in{" "}
        <Link to="/health">Health</Link>.
      </p>
    </Empty>
  );
}
