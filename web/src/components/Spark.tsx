import "./charts/chart.css";

const HEIGHT = 24;
const STEP = 4;
const LEAST = 2;

/** Small bars over time, for a column of a list. One column has one scale: `most` is the highest bar of all its rows. */
export function Spark({ values, most, label }: { values: readonly number[]; most: number; label: string }) {
  return (
    <svg
      className="spark"
      viewBox={`0 0 ${values.length * STEP} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {values.map((value, index) => {
        const height = value === 0 ? 0.5 : Math.max(LEAST, (value * HEIGHT) / Math.max(1, most));
        return (
          <rect
            key={index}
            className={value === 0 ? "none" : "f-failed"}
            x={index * STEP}
            width={STEP * 0.7}
            y={HEIGHT - height}
            height={height}
          />
        );
      })}
    </svg>
  );
}
