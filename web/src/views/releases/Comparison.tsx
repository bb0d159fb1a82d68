import type { Schemas } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { comparison } from "@/api/fleet";
import type { Column } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { Panel } from "@/components/Panel";
import { Answered } from "@/components/states";
import { Table } from "@/components/Table";
import { count, duration, plural, share, UNKNOWN } from "@/format/format";
import { useLive } from "@/live/useLive";
import { route } from "./route";
import { pText, type Verdict, WORDS } from "./verdicts";

type Compared = Schemas["TypeCompared"];

/** Whether the new one of two releases is worse, by type, with what each word rests on. */
export function Comparison({
  pair: { a, b },
  names,
}: {
  pair: { a: string; b: string };
  names: readonly string[];
}) {
  const query = comparison(a, b);
  const found = useQuery(query);
  useLive([query.queryKey], { on: "clock", beats: 6 });
  return (
    <Panel
      title={
        <span className="row wrap">
          Is <code>{b}</code> worse than <code>{a}</code>?{" "}
          {found.data && <Word verdict={found.data.verdict} isChip />}
        </span>
      }
      actions={<Pick a={a} b={b} names={names} />}
      foot={
        found.data &&
        `${plural(found.data.comparisons, "comparison")}: failure rates by Fisher's exact test, run times by that of Mann and Whitney, by type. The chance of any false alarm is at most ${share(found.data.level)}; p-values are corrected (Holm).${found.data.types_left_out > 0 ? ` ${plural(found.data.types_left_out, "further type")} with fewer jobs not shown.` : ""}`
      }
    >
      <Answered query={found}>
        {({ summary, by_type }) => (
          <>
            <p className="pb t-15">{summary}</p>
            <Table
              label={`${b} beside ${a}, by type`}
              className="fold compared"
              columns={COLUMNS}
              rows={by_type}
              rowKey={({ job_type }) => job_type}
              empty={<p className="pb ink-2 t-12">Neither has run a job that ended.</p>}
            />
          </>
        )}
      </Answered>
    </Panel>
  );
}

const right = { align: "right" as const };
const COLUMNS: readonly Column<Compared>[] = [
  {
    id: "type",
    title: "Type",
    width: "minmax(130px, 1fr)",
    cell: ({ job_type }) => (
      <Link to="/types/$name" params={{ name: job_type }}>
        {job_type}
      </Link>
    ),
  },
  { id: "word", title: "Verdict", width: "130px", cell: ({ verdict }) => <Word verdict={verdict} /> },
  {
    ...{ id: "failures", title: "Failed before → now", width: "132px", ...right },
    cell: ({ failures }) => (
      <>
        {share(failures.rate_a)} → <b>{share(failures.rate_b)}</b>
      </>
    ),
  },
  {
    id: "failures-word",
    title: "Failure rate",
    width: "minmax(190px, 1.3fr)",
    cell: ({ failures }) => (
      <Basis
        of={failures}
        shows={
          failures.detectable_rate == null
            ? null
            : `${share(failures.detectable_rate)} would have been detected`
        }
      />
    ),
  },
  {
    ...{ id: "p50", title: "Run time p50", width: "128px", ...right },
    cell: ({ run_times }) => <Change a={run_times.p50_a_s} b={run_times.p50_b_s} />,
  },
  {
    ...{ id: "p95", title: "p95", width: "128px", ...right },
    cell: ({ run_times }) => <Change a={run_times.p95_a_s} b={run_times.p95_b_s} />,
  },
  {
    id: "times-word",
    title: "Run times",
    width: "minmax(190px, 1.3fr)",
    cell: ({ run_times }) => (
      <Basis
        of={run_times}
        shows={
          run_times.detectable_ratio == null
            ? null
            : `${run_times.detectable_ratio.toFixed(2)} times as long would have been detected`
        }
      />
    ),
  },
];

function Change({ a, b }: { a: number | null; b: number | null }) {
  if (a === null && b === null) return UNKNOWN;
  return (
    <>
      {duration(a)} → <b>{duration(b)}</b>
    </>
  );
}

/** The word of one comparison, its samples, its p-value, and which difference they could have detected. */
function Basis({
  of,
  shows,
}: {
  of: Schemas["FailuresCompared"] | Schemas["RunTimesCompared"];
  shows: string | null;
}) {
  const p = pText(of.p_value);
  return (
    <span className="basis" title={of.text}>
      <Word verdict={of.verdict} />
      <span className="t-11 ink-3">
        {count(of.count_a)} and {count(of.count_b)} jobs{p && `, ${p}`}
        {of.verdict === "no_difference" && shows !== null && `; ${shows}`}
      </span>
    </span>
  );
}

const LOOKS = {
  worse: ["failed", "alert"],
  better: ["completed", "check"],
  no_difference: ["", null],
  too_few: ["dim", null],
} as const;

function Word({ verdict, isChip = false }: { verdict: Verdict; isChip?: boolean }) {
  const [style, icon] = LOOKS[verdict];
  return (
    <span className={`st ${style} ${isChip && icon !== null ? "chip" : ""}`}>
      {icon !== null && <Icon name={icon} size={12} />}
      {WORDS[verdict]}
    </span>
  );
}

/** Which two are compared. */
function Pick({ a, b, names }: { a: string; b: string; names: readonly string[] }) {
  const navigate = route.useNavigate();
  const go = (search: { a: string; b: string }) =>
    void navigate({ search, replace: true, resetScroll: false });
  const options = (others: string, own: string) =>
    [...new Set([own, ...names])]
      .filter((name) => name !== others)
      .map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ));
  return (
    <span className="row pick">
      <label className="row t-12 ink-2">
        before
        <select
          className="input"
          value={a}
          onChange={(event) => {
            go({ a: event.target.value, b });
          }}
        >
          {options(b, a)}
        </select>
      </label>
      <label className="row t-12 ink-2">
        now
        <select
          className="input"
          value={b}
          onChange={(event) => {
            go({ a, b: event.target.value });
          }}
        >
          {options(a, b)}
        </select>
      </label>
      <button
        type="button"
        className="btn"
        onClick={() => {
          go({ a: b, b: a });
        }}
      >
        Swap
      </button>
    </span>
  );
}
