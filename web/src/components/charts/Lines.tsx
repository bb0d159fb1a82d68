import { useState } from "react";
import { clock, duration, UNKNOWN } from "@/format/format";
import { Loading } from "../states";
import { useNow } from "../Time";
import { Frame } from "./Frame";
import { durationScale, linePath } from "./scale";

/** Lines differ by dash, not by colour: the first is solid, the second dashed, the third dotted. */
const DASHES = ["", "l2", "l3"] as const;

export interface Line {
  readonly label: string;
  /** Seconds; null where nothing ended. */
  readonly values: readonly (number | null)[];
  /** Of the whole window, for the legend. */
  readonly overall: number | null | undefined;
}

/** Durations over time: at most three lines. The legend has the figures of the window, or of the point looked at. */
export function Lines({
  title,
  at,
  lines,
  height = 120,
}: {
  title: string;
  at: readonly string[] | undefined;
  lines: readonly Line[];
  height?: number;
}) {
  const [looked, setLooked] = useState<number | null>(null);
  const now = useNow();
  const scale = durationScale(lines.map(({ values }) => values));
  const figures = lines.map(({ label, values, overall }) => {
    const value = looked === null ? overall : values[looked];
    return { label, text: value == null ? UNKNOWN : duration(value) };
  });
  return (
    <figure className="pb" aria-label={title}>
      <div className="row wrap chart-head">
        <h3>{title}</h3>
        {looked !== null && at?.[looked] !== undefined && (
          <span className="t-11 ink-3">from {clock(at[looked], now)}</span>
        )}
        <span className="legend push">
          {figures.map(({ label, text }, index) => (
            <span key={label}>
              <svg className="k" viewBox="0 0 18 8" aria-hidden="true">
                <path className={`ln ${DASHES[index] ?? ""}`} d="M0 4h18" />
              </svg>
              {label} <b className="m">{text}</b>
            </span>
          ))}
        </span>
      </div>
      {at === undefined ? (
        <Loading rows={2} />
      ) : scale === null ? (
        <p className="ink-3 t-12 no-points">Nothing to draw: no job ended in this time.</p>
      ) : (
        <Frame
          label={`${title}: ${figures.map(({ label, text }) => `${label} ${text}`).join(", ")}`}
          at={at}
          scale={scale}
          format={duration}
          height={height}
          looked={looked}
          onLook={setLooked}
        >
          {lines.map(({ label, values }, index) => (
            <path key={label} className={`ln ${DASHES[index] ?? ""}`} d={linePath(values, scale, height)} />
          ))}
        </Frame>
      )}
    </figure>
  );
}
