import { useRef } from "react";
import { useNow } from "@/components/Time";
import { useWidth } from "@/components/useWidth";
import { clock, duration, fullTime, plural } from "@/format/format";
import { ticks } from "@/format/ticks";
import { fitting } from "./axisLabels";
import type { Execution } from "./executions";
import { type TimeScale, timeScale } from "./timeScale";

const ROW_PX = 26;
const BAR_PX = 12;
const LEAST_SHARE = 0.004;

/** The executions of a job over time: waits dotted, what counts filled, what does not count a dashed outline. */
export function ExecutionChart({
  executions,
  from,
  openSubJobs,
}: {
  executions: readonly Execution[];
  from: number;
  /** For how many sub-jobs the execution that goes on waits: its own task begins after them. */
  openSubJobs: number;
}) {
  const now = useNow();
  const plot = useRef<HTMLDivElement>(null);
  const width = useWidth(plot);
  const times = executions
    .flatMap((each) => [each.waitedFrom, each.from, each.to])
    .filter((time) => time !== null);
  const goesOn = executions.some((each) => each.to === null);
  const last = Math.max(...times, from, goesOn ? now : 0);
  const scale = timeScale(
    executions.flatMap(({ from: began, to, outcome }) =>
      // When one ended that never said so is not known: its bar may be squeezed.
      began === null || outcome === "unknown" ? [] : [{ from: began, to: to ?? last }],
    ),
    Math.min(from, ...times),
    last,
  );
  const height = executions.length * ROW_PX;
  const marks = marksOf(scale);
  const labels = fitting(
    [
      ...marks.map(({ x, label }) => ({ x, text: label, kind: "tick" as const })),
      ...scale.pauses.map(({ start, end, from: began, to }) => ({
        x: (start + end) / 2,
        text: `${duration((to - began) / 1000)} later`,
        kind: "pause" as const,
      })),
    ],
    width,
  );
  return (
    <figure className="gantt" aria-label="Executions over time">
      <div className="gantt-names" aria-hidden="true">
        {executions.map((each, index) => (
          <span key={index}>{nameOf(each, executions)}</span>
        ))}
      </div>
      <div className="gantt-plot" ref={plot}>
        <svg height={height} width="100%" role="group" aria-label="Executions">
          {scale.pauses.map((pause) => (
            <rect
              key={pause.from}
              x={percent(pause.start)}
              width={percent(pause.end - pause.start)}
              height={height}
              className="gantt-pause"
            >
              <title>{`${duration((pause.to - pause.from) / 1000)}, drawn shorter`}</title>
            </rect>
          ))}
          {marks.map((tick) => (
            <line key={tick.at} x1={percent(tick.x)} x2={percent(tick.x)} y2={height} className="gl" />
          ))}
          {executions.map((each, index) => (
            <ExecutionRow
              key={index}
              execution={each}
              name={nameOf(each, executions)}
              index={index}
              scale={scale}
              now={last}
              openSubJobs={openSubJobs}
            />
          ))}
        </svg>
        <div className="gantt-axis" aria-hidden="true">
          {labels.map(({ x, text, kind }) => (
            <span key={`${kind} ${x}`} className={kind} style={{ left: percent(x) }}>
              {text}
            </span>
          ))}
        </div>
      </div>
      <div className="gantt-names what" aria-hidden="true">
        {executions.map((each, index) => (
          <span key={index} className={`cut ${isResult(each) ? "m ink" : ""}`}>
            {labelOf(each, openSubJobs)}
          </span>
        ))}
      </div>
    </figure>
  );
}

interface RowProps {
  execution: Execution;
  name: string;
  index: number;
  scale: TimeScale;
  now: number;
  openSubJobs: number;
}

function ExecutionRow({ execution, name, index, scale, now, openSubJobs }: RowProps) {
  const { from, to, waitedFrom, outcome, counts } = execution;
  const y = index * ROW_PX + (ROW_PX - BAR_PX) / 2;
  const end = to ?? now;
  const begin = from ?? end;
  const said = `${name}: ${spoken(execution, end, openSubJobs)}`;
  return (
    <g role="img" aria-label={said}>
      <title>{said}</title>
      {waitedFrom !== null && <Bar scale={scale} from={waitedFrom} to={begin} y={y} className="f-wait" />}
      {from !== null && (
        <Bar
          scale={scale}
          from={from}
          to={end}
          y={y}
          className={
            counts ? `f-${fillOf(outcome, openSubJobs)}` : outcome === "completed" ? "f-ghost" : "f-lost"
          }
        />
      )}
    </g>
  );
}

function Bar({
  scale,
  from,
  to,
  y,
  className,
}: {
  scale: TimeScale;
  from: number;
  to: number;
  y: number;
  className: string;
}) {
  const x = scale.x(from);
  return (
    <rect
      x={percent(x)}
      y={y}
      width={percent(Math.max(LEAST_SHARE, scale.x(to) - x))}
      height={BAR_PX}
      rx="1"
      className={className}
    />
  );
}

function fillOf(outcome: Execution["outcome"], openSubJobs: number): string {
  if (outcome === null) return openSubJobs > 0 ? "wait" : "running";
  if (outcome === "unknown" || outcome === "requeued") return "lost";
  return outcome === "replaced" ? "completed" : outcome;
}

/** Whether it is, or will be, the one whose outcome the job has. */
function isResult({ counts, outcome }: Execution): boolean {
  return counts && outcome !== "retrying" && outcome !== "replaced";
}

/** How an execution is called beside the others. */
function nameOf({ run, attempt, isAgain, from }: Execution, all: readonly Execution[]): string {
  const parts = [
    all.some((each) => each.run !== run) ? `run ${run}` : null,
    attempt === null ? (from === null ? "next" : null) : `attempt ${attempt + 1}`,
    isAgain ? "again" : null,
  ].filter((part) => part !== null);
  return parts.join(", ") || "execution";
}

const WORDS: Readonly<Record<NonNullable<Execution["outcome"]>, string>> = {
  pending: "pending",
  running: "running",
  retrying: "to be retried",
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled",
  lost: "lost with its worker",
  requeued: "back to its queue",
  replaced: "replaced itself",
  unknown: "never reported its end",
};

function labelOf(execution: Execution, openSubJobs: number): string {
  const { from, outcome, counts, isPast, worker } = execution;
  if (from === null) return "waits";
  if (outcome === null && openSubJobs > 0) return `waits for ${plural(openSubJobs, "sub-job")}`;
  const word = outcome === null ? "runs" : WORDS[outcome];
  const where = worker === null || outcome === "completed" ? "" : ` on ${worker}`;
  if (isPast) return `${word}${where}, an earlier run`;
  return counts ? `${word}${where}` : `${word}${where}, does not count`;
}

function spoken(execution: Execution, end: number, openSubJobs: number): string {
  const { from, to, waitedFrom, reason, sameResult } = execution;
  const parts = [
    labelOf(execution, openSubJobs),
    from === null ? null : `began ${fullTime(from)}`,
    from === null ? null : `${to === null ? "has run" : "ran"} ${duration((end - from) / 1000)}`,
    waitedFrom === null ? null : `waited ${duration(((from ?? end) - waitedFrom) / 1000)}`,
    sameResult === null ? null : sameResult ? "the same result" : "another result",
    reason,
  ];
  return parts.filter((part) => part !== null).join("; ");
}

/** Ticks of the axis; on one with pauses, where each piece begins. */
function marksOf(scale: TimeScale): { at: number; x: number; label: string }[] {
  const all =
    scale.pauses.length === 0
      ? ticks(scale.from, scale.to, 6)
      : [scale.from, ...scale.pauses.map((pause) => pause.to)].map((at) => ({
          at,
          label: clock(at, scale.to),
        }));
  return all.map((tick) => ({ ...tick, x: scale.x(tick.at) }));
}

function percent(share: number): string {
  return `${(share * 100).toFixed(3)}%`;
}
