import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { performanceSeries, throughput } from "@/api/queries";
import { Bars } from "@/components/charts/Bars";
import { Frame } from "@/components/charts/Frame";
import { Lines } from "@/components/charts/Lines";
import { countScale, linePath } from "@/components/charts/scale";
import { Panel } from "@/components/Panel";
import { Answered } from "@/components/states";
import { Time, useNow } from "@/components/Time";
import { jobsWith } from "@/filter/filter";
import { clock, count, share } from "@/format/format";
import { useLive } from "@/live/useLive";
import { failureShare, type Range, RANGES, totals, waits } from "./series";

const FAILURES_PX = 56;
const WAITS_PX = 88;
/** Lines differ by dash: three can be told apart. */
const MOST_TYPES = 3;

/** What ended, what failed of it, and how long jobs waited: three charts on one axis of time. */
export function Charts({ range }: { range: Range }) {
  const { minutes, bucket, hours, since, words } = RANGES[range];
  const flow = useQuery(throughput(minutes, bucket));
  const series = useQuery(performanceSeries(null, hours, 1));
  useLive([throughput(minutes, bucket).queryKey, performanceSeries(null, hours, 1).queryKey], {
    on: "clock",
  });
  const at = flow.data?.points.map((point) => point.at);
  const stacks = (["completed", "failed", "cancelled"] as const).map((status) => ({
    status,
    values: flow.data?.points.map((point) => point[status]) ?? [],
  }));
  return (
    <Panel
      title={`${words[0]?.toUpperCase() ?? ""}${words.slice(1)}`}
      sub={
        at?.[0] !== undefined && (
          <>
            since <Time at={at[0]} />
          </>
        )
      }
      foot={`Each bar is ${bucket < 60 ? `${bucket} minutes` : `${bucket / 60} hours`}. Runs count: a job that failed and was retried has two. Waits are figures of whole hours, of the types with the most jobs.`}
    >
      <Answered query={flow}>
        {({ points }) => {
          const sums = totals(points);
          return (
            <>
              <p className="pb chart-sums">
                <Link to="/jobs" search={jobsWith({ since })}>
                  <b>{count(sums.created)}</b> jobs created
                </Link>
                {", "}
                <b>{count(sums.completed + sums.failed + sums.cancelled)}</b> runs ended
              </p>
              <Bars title="Runs that ended" at={at} stacks={stacks} />
              <Failures at={at ?? []} shares={points.map(failureShare)} overall={failureShare(sums)} />
            </>
          );
        }}
      </Answered>
      <Answered query={series} rows={2}>
        {(found) => (
          <Lines title="Wait, p95" at={at} lines={waits(found, at ?? [], MOST_TYPES)} height={WAITS_PX} />
        )}
      </Answered>
    </Panel>
  );
}

interface FailuresProps {
  at: readonly string[];
  shares: readonly (number | null)[];
  overall: number | null;
}

function Failures({ at, shares, overall }: FailuresProps) {
  const [looked, setLooked] = useState<number | null>(null);
  const now = useNow();
  const percents = shares.map((each) => (each === null ? null : each * 100));
  const scale = countScale(percents.filter((each) => each !== null));
  const value = looked === null ? overall : (shares[looked] ?? null);
  return (
    <figure className="pb" aria-label="Runs that failed">
      <div className="row wrap chart-head">
        <h3>Runs that failed</h3>
        {looked !== null && at[looked] !== undefined && (
          <span className="t-11 ink-3">from {clock(at[looked], now)}</span>
        )}
        <span className="legend push">
          <b className="m">{share(value)}</b> of the runs that completed or failed
        </span>
      </div>
      <Frame
        label={`Failed: ${share(overall)} of the runs that completed or failed`}
        at={at}
        scale={scale}
        format={(percent) => `${percent} %`}
        height={FAILURES_PX}
        looked={looked}
        onLook={setLooked}
      >
        <path className="ln failures-line" d={linePath(percents, scale, FAILURES_PX)} />
      </Frame>
    </figure>
  );
}
