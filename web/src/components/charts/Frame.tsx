import type { PointerEvent, ReactNode } from "react";
import { axisTime } from "@/format/format";
import { nearest, type Scale } from "./scale";
import "./chart.css";

const LABELS = 4;

interface FrameProps {
  /** What is drawn, in a sentence: for who does not see it. */
  label: string;
  /** The moments of the points or bars. */
  at: readonly string[];
  scale: Scale;
  format: (value: number) => string;
  height: number;
  /** The point that is looked at, by pointer. */
  looked: number | null;
  onLook: (index: number | null) => void;
  children: ReactNode;
}

/** What charts over time share: lines of the scale, the axis of time, and the point that somebody looks at. */
export function Frame({ label, at, scale, format, height, looked, onLook, children }: FrameProps) {
  function look(event: PointerEvent<HTMLElement>): void {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    onLook(nearest((event.clientX - left) / width, at.length));
  }
  const last = at.length - 1;
  const labels = [
    ...new Set(Array.from({ length: LABELS }, (_, n) => Math.round((n * last) / (LABELS - 1)))),
  ];
  return (
    <div className="chart framed">
      <div
        className="plot"
        onPointerMove={look}
        onPointerDown={look}
        onPointerLeave={() => {
          onLook(null);
        }}
      >
        <svg
          viewBox={`0 0 1000 ${height}`}
          height={height}
          preserveAspectRatio="none"
          role="img"
          aria-label={label}
        >
          {scale.ticks.map((tick) => {
            const y = scale.place(tick) * height;
            return <line key={tick} className="gl" x1="0" x2="1000" y1={y} y2={y} />;
          })}
          {children}
          {looked !== null && (
            <line className="looked" x1={x(looked, at.length)} x2={x(looked, at.length)} y1="0" y2={height} />
          )}
        </svg>
        {scale.ticks.map((tick) => (
          <span key={tick} className="ytick" style={{ top: scale.place(tick) * height }} aria-hidden="true">
            {format(tick)
              .replace(/ 00[sm]$/, "")
              .replace(".0 ", " ")}
          </span>
        ))}
      </div>
      <div className="axis" aria-hidden="true">
        {labels.map((index) => (
          <span key={index}>{axisTime(at[index] ?? "", at[0] ?? "", at[last] ?? "")}</span>
        ))}
      </div>
    </div>
  );
}

function x(index: number, count: number): number {
  return count > 1 ? (index * 1000) / (count - 1) : 500;
}
