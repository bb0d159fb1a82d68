import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { activeJobs, ACTIVE_LIMIT, workers } from "@/api/queries";
import { CopyButton } from "@/components/CopyButton";
import { type Column, Grid } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { Answered, Empty } from "@/components/states";
import { Time } from "@/components/Time";
import { count, duration, plural, UNKNOWN } from "@/format/format";
import { useLive } from "@/live/useLive";
import { POLL_S } from "@/live/polling";
import { View } from "@/shell/View";
import { route } from "./route";
import { WorkerDetail } from "./WorkerDetail";
import { rowsOf, slotsOf, type WorkerRow } from "./workerRows";
import "./workers.css";

/** The workers: whether they answer, what they run, and what they hold. Lanes of what ran when come above the list. */
export function WorkersView() {
  const { worker: looked } = route.useSearch();
  const navigate = useNavigate();
  const found = useQuery(workers);
  const active = useQuery(activeJobs);
  useLive([workers.queryKey], { on: "clock" });
  useLive([activeJobs.queryKey]);
  const rows = found.data && rowsOf(found.data, active.data?.jobs ?? []);
  return (
    <View title="Workers" sub={rows && summaryOf(rows)}>
      <Answered query={found}>
        {(all) => {
          const each = rowsOf(all, active.data?.jobs ?? []);
          const chosen =
            each.find(({ name }) => name === looked) ?? (each.length === 1 ? each[0] : undefined);
          return (
            <>
              {each
                .filter(({ state }) => state === "lost")
                .map((row) => (
                  <Lost key={row.key} row={row} />
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
                        search: { worker: name === looked ? undefined : name },
                        replace: true,
                      })
                    }
                  />
                )}
                {(active.data?.total ?? 0) > ACTIVE_LIMIT && (
                  <div className="pf">
                    Names are shown for the {ACTIVE_LIMIT} longest-running of {count(active.data?.total)}{" "}
                    jobs.
                  </div>
                )}
              </section>
              {chosen && <WorkerDetail row={chosen} />}
            </>
          );
        }}
      </Answered>
    </View>
  );
}

function summaryOf(rows: readonly WorkerRow[]): string {
  const of = (state: WorkerRow["state"]) => rows.filter((row) => row.state === state).length;
  const { all, taken } = slotsOf(rows);
  const parts = [
    `${of("online")} online`,
    of("silent") > 0 ? `${of("silent")} silent` : "",
    of("lost") > 0 ? `${of("lost")} lost` : "",
    all > 0 ? `${taken} of ${all} slots taken` : "",
  ];
  return parts.filter((part) => part !== "").join(" · ");
}

const COLUMNS: readonly Column<WorkerRow>[] = [
  {
    id: "name",
    title: "Worker",
    width: "minmax(150px, 1fr)",
    cell: ({ name }) => (
      <Link to="/workers" search={{ worker: name }} className="plain" tabIndex={-1} replace>
        <code className="b">{name}</code>
      </Link>
    ),
  },
  { id: "state", title: "State", width: "104px", cell: (row) => <State row={row} /> },
  { id: "slots", title: "Slots taken", width: "minmax(96px, 0.8fr)", cell: (row) => <Slots row={row} /> },
  { id: "runs", title: "Runs now", width: "minmax(160px, 2fr)", cell: (row) => <Runs row={row} /> },
  {
    id: "held",
    title: "Fetched",
    width: "64px",
    align: "right",
    cell: ({ state, reserved, scheduled }) =>
      state === "online" ? count(reserved.length + scheduled.length) : UNKNOWN,
  },
  { id: "queues", title: "Queues", width: "minmax(100px, 1fr)", cell: (row) => <Queues row={row} /> },
  { id: "pool", title: "Pool", width: "72px", cell: ({ stats }) => stats?.lease?.pool ?? UNKNOWN },
  { id: "release", title: "Release", width: "84px", cell: ({ stats }) => stats?.lease?.release || UNKNOWN },
  {
    id: "since",
    title: "Started",
    width: "92px",
    align: "right",
    cell: ({ stats }) => <Time at={stats?.lease?.started_at_ms} />,
  },
];

function State({ row: { state, stats } }: { row: WorkerRow }) {
  if (state === "lost")
    return (
      <span className="row failed b">
        <Icon name="lost" /> lost
      </span>
    );
  if (state === "silent")
    return (
      <span
        className={`row ${stats?.lease?.pool === "solo" ? "" : "failed b"}`}
        title="It renews its lease and does not answer at this broker."
      >
        <Icon name="alert" /> {stats?.lease?.pool === "solo" ? "busy" : "no answer"}
      </span>
    );
  return (
    <span className="row">
      <Icon name="check" /> online
    </span>
  );
}

/** The most slots that are drawn; more are numbers only. */
const DRAWN = 16;

function Slots({ row: { state, stats, running } }: { row: WorkerRow }) {
  const all = stats?.lease?.concurrency;
  if (state !== "online") return <span className="dim">{all === undefined ? UNKNOWN : `? of ${all}`}</span>;
  return (
    <span className="row">
      {all !== undefined && all <= DRAWN && (
        <span className="slots" aria-hidden="true">
          {Array.from({ length: all }, (_, slot) => (
            <i key={slot} className={slot < running.length ? "on" : ""} />
          ))}
        </span>
      )}
      <span className="nowrap">
        {running.length} of {all ?? UNKNOWN}
      </span>
    </span>
  );
}

function Runs({ row: { running } }: { row: WorkerRow }) {
  const [first, ...others] = running;
  if (first === undefined) return <span className="dim">nothing</span>;
  return (
    <span className="row">
      {first.job ? (
        <Link to="/jobs/$jobId" params={{ jobId: first.id }} className="cut">
          {first.job.name}
        </Link>
      ) : (
        <code className="cut">{first.task}</code>
      )}
      {others.length > 0 && <span className="dim nowrap">and {others.length} more</span>}
    </span>
  );
}

export function queuesOf({ stats }: WorkerRow): readonly string[] {
  return stats?.queues.length ? stats.queues : (stats?.lease?.queues ?? []);
}

function Queues({ row }: { row: WorkerRow }) {
  const names = queuesOf(row);
  if (names.length === 0) return <span className="dim">{UNKNOWN}</span>;
  return (
    <span className="row wrap">
      {names.map((queue) => (
        <Link key={queue} to="/queues" search={{ queue }}>
          {queue}
        </Link>
      ))}
    </span>
  );
}

function Lost({ row: { name, running } }: { row: WorkerRow }) {
  return (
    <div className="notice bad">
      <Icon name="lost" />
      <div>
        <b>
          Worker <code>{name}</code> is lost.
        </b>{" "}
        Its lease ran out, and {plural(running.length, "job")} {running.length === 1 ? "names" : "name"} it.
        The rescuer decides by itself whether each fails or runs again; each job explains it.
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
