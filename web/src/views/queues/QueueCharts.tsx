import type { QueueDepth, Schemas } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { queueSeries } from "@/api/fleet";
import { Choose } from "@/components/Choose";
import { Frame } from "@/components/charts/Frame";
import { Lines } from "@/components/charts/Lines";
import { countScale, linePath } from "@/components/charts/scale";
import { Panel } from "@/components/Panel";
import { Answered } from "@/components/states";
import { useNow } from "@/components/Time";
import { clock, count } from "@/format/format";
import { useLive } from "@/live/useLive";
import { route } from "./route";

const RATES_PX = 88;
const HOURS = { "1h": 1, "6h": 6 } as const;

/** How long messages of a queue waited over time, and how many came and went. */
export function QueueCharts({ queue }: { queue: QueueDepth }) {
  const { back = "1h" } = route.useSearch();
  const query = queueSeries(HOURS[back], queue.queue);
  const found = useQuery(query);
  useLive([query.queryKey], { on: "clock", beats: 2 });
  return (
    <Panel
      title={
        <>
          Waits in <code>{queue.queue}</code>
        </>
      }
      actions={
        <Choose
          label="How far back"
          name="back"
          value={back}
          options={[
            ["1h", "1h"],
            ["6h", "6h"],
          ]}
        />
      }
      foot="Steps of five minutes; the last one is not over. A wait ends when a worker begins the task; a countdown or ETA that was asked for is no wait."
    >
      <Answered query={found} rows={4}>
        {({ at, by_queue }) => {
          const columns = by_queue[queue.queue];
          return columns === undefined ? (
            <p className="pb ink-2 t-12">Nothing that is tracked was sent there in this time.</p>
          ) : (
            <>
              <Lines
                title="Wait"
                at={at}
                lines={[
                  { label: "p50", values: columns.wait_p50_s, overall: queue.last_hour.wait_p50_s },
                  { label: "p95", values: columns.wait_p95_s, overall: queue.last_hour.wait_p95_s },
                ]}
              />
              <Rates at={at} columns={columns} />
            </>
          );
        }}
      </Answered>
    </Panel>
  );
}

const RATES = [
  ["sent", ""],
  ["started", "l2"],
  ["ended", "l3"],
] as const;

/** Messages that came, and jobs that began and ended: they differ by dash, not by colour. */
function Rates({ at, columns }: { at: readonly string[]; columns: Schemas["QueueColumns"] }) {
  const [looked, setLooked] = useState<number | null>(null);
  const now = useNow();
  const scale = countScale(RATES.flatMap(([name]) => columns[name]));
  const valueOf = (name: (typeof RATES)[number][0]) =>
    looked === null ? columns[name].reduce((sum, value) => sum + value, 0) : (columns[name][looked] ?? 0);
  return (
    <figure className="pb" aria-label="Sent, started, ended">
      <div className="row wrap chart-head">
        <h3>Sent, started, ended</h3>
        {looked !== null && at[looked] !== undefined && (
          <span className="t-11 ink-3">from {clock(at[looked], now)}</span>
        )}
        <span className="legend push">
          {RATES.map(([name, dash]) => (
            <span key={name}>
              <svg className="k" viewBox="0 0 18 8" aria-hidden="true">
                <path className={`ln ${dash}`} d="M0 4h18" />
              </svg>
              {name} <b className="m">{count(valueOf(name))}</b>
            </span>
          ))}
        </span>
      </div>
      <Frame
        label={`In all: ${RATES.map(([name]) => `${name} ${count(valueOf(name))}`).join(", ")}`}
        at={at}
        scale={scale}
        format={count}
        height={RATES_PX}
        looked={looked}
        onLook={setLooked}
      >
        {RATES.map(([name, dash]) => (
          <path key={name} className={`ln ${dash}`} d={linePath(columns[name], scale, RATES_PX)} />
        ))}
      </Frame>
    </figure>
  );
}
