import { useState } from "react";
import { clock, count } from "@/format/format";
import { Loading } from "../states";
import { useNow } from "../Time";
import { Frame } from "./Frame";
import { countScale } from "./scale";

export interface Stack {
  readonly status: "completed" | "failed" | "cancelled";
  readonly values: readonly number[];
}

const GAP = 0.2;

/** Counts over time, by status, one upon the other. The legend has the sums, or the counts of the bar looked at. */
export function Bars({
  title,
  at,
  stacks,
  height = 72,
}: {
  title: string;
  at: readonly string[] | undefined;
  stacks: readonly Stack[];
  height?: number;
}) {
  const [looked, setLooked] = useState<number | null>(null);
  const now = useNow();
  const figures = stacks.map(({ status, values }) => ({
    status,
    value: looked === null ? values.reduce((sum, value) => sum + value, 0) : (values[looked] ?? 0),
  }));
  const sums = (at ?? []).map((_, index) =>
    stacks.reduce((sum, { values }) => sum + (values[index] ?? 0), 0),
  );
  const scale = countScale(sums);
  const step = 1000 / Math.max(1, sums.length);
  return (
    <figure className="pb" aria-label={title}>
      <div className="row wrap chart-head">
        <h3>{title}</h3>
        {looked !== null && at?.[looked] !== undefined && (
          <span className="t-11 ink-3">from {clock(at[looked], now)}</span>
        )}
        <span className="legend push">
          {figures.map(({ status, value }) => (
            <span key={status}>
              <svg width="10" height="10" aria-hidden="true">
                <rect width="10" height="10" rx="1" className={`f-${status}`} />
              </svg>
              {status} <b className="m">{count(value)}</b>
            </span>
          ))}
        </span>
      </div>
      {at === undefined ? (
        <Loading rows={2} />
      ) : (
        <Frame
          label={`${title}: ${figures.map(({ status, value }) => `${status} ${count(value)}`).join(", ")}`}
          at={at}
          scale={scale}
          format={count}
          height={height}
          looked={null}
          onLook={setLooked}
        >
          {sums.map((_, index) => {
            let below = 0;
            return stacks.map(({ status, values }) => {
              const value = values[index] ?? 0;
              const top = scale.place(below + value) * height;
              const bottom = scale.place(below) * height;
              below += value;
              return value === 0 ? null : (
                <rect
                  key={`${index} ${status}`}
                  className={`f-${status} ${looked === index ? "on" : ""}`}
                  x={index * step + (step * GAP) / 2}
                  width={step * (1 - GAP)}
                  y={top}
                  height={Math.max(1, bottom - top)}
                />
              );
            });
          })}
        </Frame>
      )}
    </figure>
  );
}
