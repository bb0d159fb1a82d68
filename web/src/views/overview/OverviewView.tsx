import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { stats } from "@/api/queries";
import { Unread } from "@/components/Unread";
import { View } from "@/shell/View";
import { Charts } from "./Charts";
import { FirstSteps } from "./FirstSteps";
import { QueuesPanel, WorkersPanel } from "./QueuesAndWorkers";
import { route } from "./route";
import { type Range, RANGES } from "./series";
import { StatusCounts } from "./StatusCounts";
import { WhatNeedsYou } from "./WhatNeedsYou";
import "./overview.css";

/** How it stands: first what needs somebody, then what is, then how it came. */
export function OverviewView() {
  const { range: given } = route.useSearch();
  const read = given !== undefined && given in RANGES ? (given as Range) : undefined;
  const range = read ?? "1h";
  const figures = useQuery(stats);
  const isNew = figures.data?.total === 0;
  return (
    <View title="Overview" actions={!isNew && <Ranges range={range} />}>
      <Unread given={{ range: given }} read={{ range: read }} instead="An hour is shown." />
      {isNew ? (
        <FirstSteps />
      ) : (
        <>
          <StatusCounts range={range} />
          <div className="cols overview-cols">
            <WhatNeedsYou />
            <Charts range={range} />
            <QueuesPanel />
            <WorkersPanel />
          </div>
        </>
      )}
    </View>
  );
}

function Ranges({ range }: { range: Range }) {
  return (
    <nav className="seg" aria-label="Range">
      {(Object.keys(RANGES) as Range[]).map((each) => (
        <Link
          key={each}
          to="/"
          search={{ range: each === "1h" ? undefined : each }}
          activeOptions={{ exact: true, includeSearch: true }}
          aria-current={each === range ? "true" : undefined}
          title={RANGES[each].words}
        >
          {each}
        </Link>
      ))}
    </nav>
  );
}
