import type { Schemas } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { MOST_RELEASES, releases } from "@/api/fleet";
import { CopyButton } from "@/components/CopyButton";
import { type Column, Grid } from "@/components/Grid";
import { Answered, Empty } from "@/components/states";
import { Time } from "@/components/Time";
import { jobsWith } from "@/filter/filter";
import { count, plural, share, UNKNOWN } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";
import { Comparison } from "./Comparison";
import { route } from "./route";
import { pairOf } from "./verdicts";
import "./releases.css";

type Release = Schemas["Release"];

/** The releases that workers ran, and whether one is worse than another. */
export function ReleasesView() {
  const named = route.useSearch();
  const navigate = route.useNavigate();
  const found = useQuery(releases);
  useLive([releases.queryKey], { on: "clock", beats: 2 });
  return (
    <View title="Releases" sub={found.data && plural(found.data.count, "release")}>
      <Answered query={found}>
        {({ releases: all, count: known, some_left_out }) => {
          const pair = pairOf(all, named);
          return all.length === 0 ? (
            <section className="panel">
              <NoRelease />
            </section>
          ) : (
            <>
              <section className="panel" aria-label="Releases">
                <Grid
                  label="Releases"
                  className="fold releases"
                  columns={COLUMNS}
                  rows={all}
                  rowKey={({ release }) => release}
                  rowClass={({ release }) => (release === pair?.a || release === pair?.b ? "sel" : "")}
                  onOpen={({ release }) =>
                    void navigate({ search: { b: release }, replace: true, resetScroll: false })
                  }
                />
                <div className="pf wrap">
                  <span>A job counts for the release of the worker that ran it last.</span>
                  {known > MOST_RELEASES && (
                    <span>
                      The last {count(MOST_RELEASES)} of {count(known)}.
                    </span>
                  )}
                  {some_left_out && (
                    <span className="failed">
                      There were too many releases, types and days: the figures of the oldest days are gone.
                    </span>
                  )}
                </div>
              </section>
              {pair === null ? (
                <section className="panel">
                  <Empty title="There is no other release to compare with.">
                    <p>
                      Start workers of the next one with another <code>RELEASE_LABEL</code>: it is compared
                      here, by type.
                    </p>
                  </Empty>
                </section>
              ) : (
                <Comparison pair={pair} names={all.map(({ release }) => release)} />
              )}
            </>
          );
        }}
      </Answered>
    </View>
  );
}

const right = { align: "right" as const };
const COLUMNS: readonly Column<Release>[] = [
  {
    id: "release",
    title: "Release",
    width: "minmax(140px, 1.4fr)",
    cell: ({ release }) => (
      <Link to="/releases" search={{ b: release }} className="plain mono b" tabIndex={-1} replace>
        {release}
      </Link>
    ),
  },
  {
    ...{ id: "first", title: "First seen", width: "minmax(92px, 1fr)", ...right },
    cell: ({ first_seen }) => <Time at={first_seen} />,
  },
  {
    ...{ id: "last", title: "Last seen", width: "minmax(92px, 1fr)", ...right },
    cell: ({ last_seen }) => <Time at={last_seen} as="ago" />,
  },
  {
    ...{ id: "workers", title: "Workers now / in total", width: "124px", ...right },
    cell: ({ workers, workers_ever }) => (
      <span title={workers.join(", ")}>
        {count(workers.length)} / {count(workers_ever)}
      </span>
    ),
  },
  {
    ...{ id: "jobs", title: "Jobs", width: "80px", ...right },
    cell: ({ release, completed, failed, cancelled }) => (
      <Link to="/jobs" search={jobsWith({ release })}>
        {count(completed + failed + cancelled)}
      </Link>
    ),
  },
  {
    ...{ id: "failed", title: "Failed", width: "72px", ...right },
    cell: ({ release, failed }) => (
      <Link to="/jobs" search={jobsWith({ status: "failed", release })}>
        {count(failed)}
      </Link>
    ),
  },
  {
    ...{ id: "rate", title: "Failure rate", width: "84px", ...right },
    cell: ({ failure_rate }) => share(failure_rate),
  },
  {
    ...{ id: "groups", title: "New failure groups", width: "108px", ...right },
    cell: ({ new_failure_groups }) =>
      new_failure_groups == null ? (
        <span className="dim" title="It is not known how many failure groups were seen in it first.">
          {UNKNOWN}
        </span>
      ) : (
        <span className={new_failure_groups > 0 ? "failed b" : ""}>{count(new_failure_groups)}</span>
      ),
  },
];

function NoRelease() {
  const command = "RELEASE_LABEL=shop-2.1 celery -A your_app worker";
  return (
    <Empty title="No worker has said which release it runs.">
      <p>
        Give each release of your project a name where its workers run; it shows up with its first worker:
      </p>
      <p className="row">
        <code>{command}</code> <CopyButton text={command} label="Copy the command" />
      </p>
      <p className="ink-2">
        Then this view says by type whether a new release fails more often, or takes longer, than the one
        before.
      </p>
    </Empty>
  );
}
