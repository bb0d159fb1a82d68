import type { Executions } from "@/api/executions";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, memo, type PointerEvent, useEffect, useMemo, useState } from "react";
import { useNow } from "@/components/Time";
import { clock, duration, plural } from "@/format/format";
import { closer } from "../span";
import { LaneHead } from "./LaneHead";
import { type Drawing, drawingOf, heightsOf, type LaneRow } from "./laneRows";
import { type Block, blockAt, type Kind, KINDS, pathOf } from "./packing";

/** How each kind is called: a word beside the colour. */
export const WORDS: Readonly<Record<Kind, string>> = {
  completed: "completed",
  running: "running",
  retrying: "to be run again",
  cancelled: "cancelled",
  lost: "lost with its worker",
  failed: "failed",
};
export const fillOf = (kind: Kind) => (kind === "completed" ? "f-completed quiet" : `f-${kind}`);

const PAD_PX = 5;
const LEAST_PX = 58;

interface LaneProps {
  lane: LaneRow;
  span: Executions;
  width: number;
  isChosen: boolean;
  /** Told what was drawn, to sum it up. */
  onDrawn: (name: string, drawing: Drawing) => void;
}

/** What one worker ran: a row for each slot, a block for each job. Arrow keys go from block to block. */
export const Lane = memo(function Lane({ lane, span, width, isChosen, onDrawn }: LaneProps) {
  const drawing = useMemo(() => drawingOf(lane, span, width), [lane, span, width]);
  useEffect(() => {
    onDrawn(lane.name, drawing);
  }, [lane.name, drawing, onDrawn]);
  const { pitch, block: high } = heightsOf(drawing.rows.length);
  const height = Math.max(LEAST_PX, drawing.rows.length * pitch + 2 * PAD_PX);
  const top = (height - drawing.rows.length * pitch) / 2;
  return (
    <div className={`lane ${isChosen ? "sel" : ""}`}>
      <LaneHead lane={lane} />
      <div className="lane-rows">
        <Gone lane={lane} span={span} />
        <Plot lane={lane} drawing={drawing} {...{ height, top, pitch, high, width }} />
        {drawing.unplaced > 0 && (
          <p className="lane-note">{plural(drawing.unplaced, "job")} more ran beside these</p>
        )}
      </div>
    </div>
  );
});

interface PlotProps {
  lane: LaneRow;
  drawing: Drawing;
  height: number;
  top: number;
  pitch: number;
  high: number;
  width: number;
}

interface Place {
  readonly row: number;
  readonly index: number;
}

function Plot({ lane, drawing, height, top, pitch, high, width }: PlotProps) {
  const [place, setPlace] = useState<Place | null>(null);
  const [byKey, setByKey] = useState(false);
  const navigate = useNavigate({ from: "/workers" });
  const now = useNow();
  const { rows } = drawing;
  const looked = place === null ? undefined : rows[place.row]?.[place.index];

  function look(event: PointerEvent<HTMLElement>): Block | undefined {
    const box = event.currentTarget.getBoundingClientRect();
    const row = Math.floor((event.clientY - box.top - top) / pitch);
    const index = blockAt(rows[row] ?? [], event.clientX - box.left);
    setByKey(false);
    setPlace(index === -1 ? null : { row, index });
    return rows[row]?.[index];
  }

  function open(block: Block | undefined): void {
    if (block === undefined) return;
    if (block.ran !== null) void navigate({ to: "/jobs/$jobId", params: { jobId: block.ran.id } });
    else
      void navigate({
        to: "/workers",
        search: (old) => ({ ...old, ...closer(block.from, block.to, Date.now()) }),
      });
  }

  function press(event: KeyboardEvent): void {
    if (event.key === "Enter" && looked !== undefined) open(looked);
    else {
      const next = stepped(rows, place, event.key);
      if (next === undefined) return;
      setByKey(true);
      setPlace(next);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  const said = looked && sentenceOf(looked, now);
  return (
    <div
      className={`lane-plot ${looked ? "has-block" : ""}`}
      role="application"
      aria-roledescription="lane"
      aria-label={`${lane.name}: ${plural(drawing.single + drawing.merged, "job")}. Arrow keys go from block to block, Enter opens.`}
      tabIndex={0}
      onKeyDown={press}
      onPointerMove={look}
      onPointerLeave={() => {
        setPlace(null);
      }}
      onBlur={() => {
        setPlace(null);
      }}
      onClick={(event) => {
        open(look(event as unknown as PointerEvent<HTMLElement>));
      }}
    >
      <svg width={width} height={height} aria-hidden="true">
        <g transform={`translate(0 ${top})`}>
          {KINDS.map((kind) => {
            const path = pathOf(rows, kind, pitch, high);
            return path === "" ? null : <path key={kind} className={fillOf(kind)} d={path} />;
          })}
          {looked && place && (
            <rect
              className="lane-looked"
              x={looked.x - 1}
              y={place.row * pitch - 1}
              width={looked.width + 2}
              height={high + 2}
            />
          )}
        </g>
      </svg>
      {looked && place && <Tip block={looked} y={top + place.row * pitch + high} width={width} now={now} />}
      <span className="sr" aria-live="polite">
        {byKey ? said : ""}
      </span>
    </div>
  );
}

/** Where an arrow key leads from a block; undefined for another key. */
function stepped(rows: Drawing["rows"], place: Place | null, key: string): Place | undefined {
  const last = { Home: 0, End: -1, ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[key];
  if (last === undefined) return undefined;
  const filled = rows.flatMap((row, index) => (row.length > 0 ? [index] : []));
  const [first] = filled;
  if (first === undefined) return undefined;
  if (place === null)
    return { row: first, index: key === "ArrowRight" || key === "Home" ? 0 : end(rows[first]) };
  if (key === "Home") return { row: place.row, index: 0 };
  if (key === "End") return { row: place.row, index: end(rows[place.row]) };
  if (key === "ArrowRight" || key === "ArrowLeft")
    return { row: place.row, index: Math.max(0, Math.min(end(rows[place.row]), place.index + last)) };
  const row = filled[filled.indexOf(place.row) + last] ?? place.row;
  const x = rows[place.row]?.[place.index]?.x ?? 0;
  return { row, index: Math.max(0, blockAt(rows[row] ?? [], x, Number.POSITIVE_INFINITY)) };
}

function end(row: readonly Block[] | undefined): number {
  return Math.max(0, (row?.length ?? 1) - 1);
}

/** A block in words: the job, or how many there are of what. */
function sentenceOf({ ran, kind, kinds, jobs, from, to }: Block, now: number): string {
  if (ran === null)
    return `${plural(jobs, "job")}, each shorter than a pixel: ${KINDS.flatMap((each) => (kinds[each] ? [`${kinds[each]} ${WORDS[each]}`] : [])).join(", ")}. From ${clock(from, now)} to ${clock(to, now)}. Enter zooms in.`;
  return `${ran.name}, ${ran.type}, ${WORDS[kind]}, from ${clock(from, now)}, ${duration((to - from) / 1000)}`;
}

const TIP_PX = 280;

function Tip({ block, y, width, now }: { block: Block; y: number; width: number; now: number }) {
  const { ran, kind, kinds, jobs, from, to, x } = block;
  return (
    <div
      className="lane-tip"
      aria-hidden="true"
      style={{ top: y + 6, left: Math.max(0, Math.min(x, width - TIP_PX)) }}
    >
      <b className="cut">{ran === null ? `${plural(jobs, "job")}, shorter than a pixel` : ran.name}</b>
      <span className="ink-2">
        {ran === null
          ? KINDS.flatMap((each) => (kinds[each] ? [`${kinds[each]} ${WORDS[each]}`] : [])).join(" · ")
          : `${ran.type} · ${WORDS[kind]}`}
      </span>
      <span className="ink-2">
        {clock(from, now)} – {ran?.to === null ? "now" : clock(to, now)} · {duration((to - from) / 1000)}
      </span>
      {ran === null && <span className="ink-3">A click zooms in.</span>}
    </div>
  );
}

/** Where a worker began, where it ended, and how. */
function Gone({ lane: { figures, ran }, span }: { lane: LaneRow; span: Executions }) {
  const now = useNow();
  if (figures === null) return null;
  const place = (at: string) => ((Date.parse(at) - span.from) * 100) / (span.to - span.from);
  const began = figures.started_at == null ? null : place(figures.started_at);
  const ended = figures.ended_at == null ? null : place(figures.ended_at);
  const isNew =
    began !== null &&
    began > 0 &&
    ran.every(({ from }) => from >= span.from + ((began - 1) / 100) * (span.to - span.from));
  return (
    <>
      {began !== null && figures.started_at != null && began > 0 && began < 100 && (
        <div
          className={isNew ? "lane-wash" : "lane-began"}
          style={isNew ? { left: 0, width: `${began}%` } : { left: `${began}%` }}
        >
          {isNew && began > 18 && <span>started at {clock(figures.started_at, now)}</span>}
        </div>
      )}
      {ended !== null && figures.ended_at != null && ended < 100 && (
        <div
          className={`lane-wash ${figures.state === "lost" ? "is-lost" : ""} ${ended > 82 ? "at-end" : ""}`}
          style={{ left: `${Math.max(0, ended)}%`, right: 0 }}
        >
          <span>
            {figures.state} at {clock(figures.ended_at, now)}
          </span>
        </div>
      )}
    </>
  );
}
