import { Link } from "@tanstack/react-router";
import type { FailureState } from "@/api/types";
import type { Column } from "@/components/Grid";
import { Spark } from "@/components/Spark";
import { Time } from "@/components/Time";
import { jobsWith } from "@/filter/filter";
import { plural, shortCount } from "@/format/format";
import { ACTIONS, errorOf, type GroupRow, jobsOf, type Marking, typesOf } from "./groups";

const BADGES: Readonly<Record<FailureState, readonly [look: string, word: string] | null>> = {
  new: ["new", "NEW"],
  regressed: ["back", "REGRESSED"],
  resolved: ["", "RESOLVED"],
  ignored: ["", "IGNORED"],
  known: null,
};

/** A group's state where it is not the usual one, that it is known. */
export function StateBadge({ state }: { state: FailureState }) {
  const badge = BADGES[state];
  return badge && <span className={`badge ${badge[0]}`}>{badge[1]}</span>;
}

export function columnsOf(rows: readonly GroupRow[], marking: Marking | null): readonly Column<GroupRow>[] {
  const most = Math.max(1, ...rows.flatMap(({ group }) => group.hours));
  return [
    {
      id: "error",
      title: "Error",
      width: "minmax(0, 1fr)",
      cell: ({ group }) => (
        <>
          <span className="mono t-12 clamp name">
            <StateBadge state={group.state} /> {errorOf(group)}
          </span>
          <span className="t-12 dim cut types">
            {marking?.id === group.id ? <i>{ACTIONS[marking.action].doing}</i> : typesOf(group)}
          </span>
        </>
      ),
    },
    {
      id: "spark",
      title: "Last 24 hours",
      width: "96px",
      cell: ({ group }) => (
        <Spark
          values={group.hours}
          most={most}
          label={`${plural(
            group.hours.reduce((sum, each) => sum + each, 0),
            "failure",
          )} in 24 hours`}
        />
      ),
    },
    numberOf("hour", "Jobs, 1h", "1h", ({ jobs_of_hour }) => jobs_of_hour),
    numberOf("day", "24h", "24h", ({ jobs_of_day }) => jobs_of_day),
    numberOf("week", "7d", "7d", ({ jobs_of_week }) => jobs_of_week),
    {
      id: "count",
      title: "Failures",
      width: "60px",
      align: "right",
      sort: "count",
      cell: ({ group }) => (
        <span title={`${plural(group.count, "failure")} since it was first seen, all runs together`}>
          {shortCount(group.count)}
        </span>
      ),
    },
    {
      id: "seen",
      title: "Last seen",
      width: "96px",
      align: "right",
      sort: "last_seen",
      cell: ({ group }) => (
        <>
          <span className="seen">
            <Time at={group.last_seen} as="ago" />
          </span>
          <span className="dim t-11 seen first" title="First seen">
            <Time at={group.first_seen} as="ago" />
          </span>
        </>
      ),
    },
  ];
}

function numberOf(
  id: string,
  title: string,
  finished: string,
  of: (group: GroupRow["group"]) => number,
): Column<GroupRow> {
  return {
    id,
    title,
    width: id === "hour" ? "56px" : "38px",
    align: "right",
    cell: ({ group }) =>
      of(group) === 0 ? (
        <span className="dim">0</span>
      ) : (
        <Link
          to="/jobs"
          search={jobsWith(jobsOf(group.id, finished))}
          className="plain number"
          tabIndex={-1}
          title={`${plural(of(group), "job")} that failed within ${finished} and are failed now`}
          aria-label={`${plural(of(group), "job")} of ${finished}`}
        >
          {shortCount(of(group))}
        </Link>
      ),
  };
}
