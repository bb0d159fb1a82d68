import type { WorkerFigures } from "@/api/fleet";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useCallback, useMemo, useRef, useState } from "react";
import { isPartial, MOST_EXECUTIONS, timeline } from "@/api/timeline";
import { useCommands } from "@/commands/commands";
import { Choose } from "@/components/Choose";
import { Panel } from "@/components/Panel";
import { Answered } from "@/components/states";
import { useNow } from "@/components/Time";
import { useWidth } from "@/components/useWidth";
import { clock, count, plural } from "@/format/format";
import { ticks } from "@/format/ticks";
import { useLive } from "@/live/useLive";
import { route } from "../route";
import { moved, RANGES, spanOf } from "../span";
import { fillOf, Lane, WORDS } from "./Lane";
import { type Drawing, laneRows, MOST_LANES } from "./laneRows";
import "./lanes.css";

const TICK_PX = 110;
const LEGEND = ["running", "completed", "failed", "retrying", "cancelled", "lost"] as const;

/** Which worker ran which job when, in any span of time that is kept. */
export function LanesPanel({
  workers,
  chosen,
}: {
  workers: readonly WorkerFigures[];
  chosen: string | undefined;
}) {
  const { range: given, until: end } = route.useSearch();
  const { range = "1h", until } = spanOf({ range: given, until: end });
  const query = timeline(RANGES[range], until === undefined ? null : Date.parse(until));
  const found = useQuery({ ...query, placeholderData: keepPreviousData });
  useLive(until === undefined ? [query.queryKey] : [], { on: "clock" });
  const axis = useRef<HTMLDivElement>(null);
  const width = Math.floor(useWidth(axis));
  const [drawings, setDrawings] = useState<Readonly<Record<string, Drawing>>>({});
  const onDrawn = useCallback((name: string, drawing: Drawing) => {
    setDrawings((old) => ({ ...old, [name]: drawing }));
  }, []);
  const rows = found.data?.rows;
  const lanes = useMemo(() => laneRows(workers, rows ?? []), [workers, rows]);
  const shown = lanes.slice(0, MOST_LANES);
  return (
    <Panel
      title="What ran when"
      sub={
        found.data && (
          <Looked span={found.data} isReading={found.isPlaceholderData || isPartial(found.data)} />
        )
      }
      actions={<SpanSwitch />}
      foot={
        <>
          <Legend />
          <span className="push">
            {summaryOf(shown.flatMap(({ name }) => drawings[name] ?? []))}
            {lanes.length > MOST_LANES &&
              ` ${plural(lanes.length - MOST_LANES, "further worker")} not drawn.`}
          </span>
        </>
      }
    >
      <div className="lanes">
        <div className="lane ax" aria-hidden="true">
          <div className="lane-head">
            <span className="ink-3">Worker, slots taken</span>
          </div>
          <div ref={axis} className="lane-rows">
            {found.data &&
              ticks(found.data.from, found.data.to, Math.max(1, Math.floor(width / TICK_PX))).map(
                ({ at, label }) => (
                  <span key={at} style={{ left: `${shareOf(at, found.data)}%` }}>
                    {label}
                  </span>
                ),
              )}
          </div>
        </div>
        <Answered query={found}>
          {(data) => (
            <>
              {shown.map((lane) => (
                <Lane
                  key={lane.name}
                  lane={lane}
                  span={data}
                  width={width}
                  isChosen={lane.name === chosen}
                  onDrawn={onDrawn}
                />
              ))}
              {data.rows.length === 0 && !isPartial(data) && (
                <p className="pb ink-2 t-12">
                  Nothing ran in this time, or it is not kept any more. Earlier and later are at the top.
                </p>
              )}
              {data.unread !== null && !isPartial(data) && (
                <p className="pb t-12 failed">
                  Not drawn: {clock(data.unread.from, data.to)} to {clock(data.unread.to, data.to)}, because
                  more than {count(MOST_EXECUTIONS)} jobs ran. Choose a shorter time.
                </p>
              )}
            </>
          )}
        </Answered>
      </div>
    </Panel>
  );
}

function shareOf(at: number, { from, to }: { from: number; to: number }): number {
  return ((at - from) * 100) / (to - from);
}

function Looked({
  span: { from, to },
  isReading,
}: {
  span: { from: number; to: number };
  isReading: boolean;
}) {
  const now = useNow();
  const short = (at: number) => clock(at, now).replace(/(\d\d:\d\d):\d\d$/, "$1");
  return (
    <>
      {short(from)} – {short(to)}
      {isReading && ", reading…"}
    </>
  );
}

/** The span: earlier, later, and how long. */
function SpanSwitch() {
  const given = route.useSearch();
  const span = spanOf({ range: given.range, until: given.until });
  const search = { ...given, ...span };
  const navigate = route.useNavigate();
  const now = useNow();
  const earlier = { ...search, ...moved(span, -1, now) };
  const later = { ...search, ...moved(span, 1, now) };
  useCommands([
    { label: "Show an earlier time", key: "[", run: () => void navigate({ search: earlier, replace: true }) },
    { label: "Show a later time", key: "]", run: () => void navigate({ search: later, replace: true }) },
  ]);
  return (
    <>
      <div className="seg" role="group" aria-label="Earlier or later">
        <button
          type="button"
          aria-label="Earlier"
          title="Earlier ([)"
          onClick={() => void navigate({ search: earlier, replace: true })}
        >
          ‹
        </button>
        <Link
          to="/workers"
          search={{ ...search, until: undefined }}
          replace
          aria-current={search.until === undefined ? "true" : undefined}
          activeOptions={{ exact: true, explicitUndefined: true }}
          activeProps={{ "aria-current": undefined }}
        >
          now
        </Link>
        <button
          type="button"
          aria-label="Later"
          title="Later (])"
          disabled={search.until === undefined}
          onClick={() => void navigate({ search: later, replace: true })}
        >
          ›
        </button>
      </div>
      <Choose
        label="How long"
        name="range"
        value={search.range}
        options={[
          ["1h", "1h"],
          ["6h", "6h"],
          ["24h", "24h"],
          ["10m", "10m"],
        ]}
      />
    </>
  );
}

function Legend() {
  return (
    <span className="legend">
      {LEGEND.map((kind) => (
        <span key={kind}>
          <svg width="16" height="8" aria-hidden="true">
            <rect x="0.5" y="0.5" width="15" height="7" rx="1" className={fillOf(kind)} />
          </svg>
          {WORDS[kind]}
        </span>
      ))}
    </span>
  );
}

function summaryOf(drawings: readonly Drawing[]): string {
  const single = drawings.reduce((sum, drawing) => sum + drawing.single, 0);
  const merged = drawings.reduce((sum, drawing) => sum + drawing.merged, 0);
  if (merged === 0) return `One row a slot, one block a job: ${plural(single, "job")}.`;
  return `One row a slot, one block a job; ${count(single)} jobs drawn of ${count(single + merged)}, the others are shorter than a pixel.`;
}
