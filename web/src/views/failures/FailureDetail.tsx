import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useId, useState } from "react";
import { ApiError } from "@/api/client";
import { failureGroup } from "@/api/queries";
import type { FailureAction, Schemas } from "@/api/types";
import { useMay } from "@/api/session";
import { useCommands } from "@/commands/commands";
import { BulkQuestion } from "@/components/bulk/BulkQuestion";
import { Bars } from "@/components/charts/Bars";
import { CopyButton } from "@/components/CopyButton";
import { Icon } from "@/components/Icon";
import { Answered, Empty, ErrorNotice } from "@/components/states";
import { Time, useNow } from "@/components/Time";
import { jobsWith } from "@/filter/filter";
import { count, plural } from "@/format/format";
import { useWritesOff } from "@/live/connection";
import { useLive } from "@/live/useLive";
import { StateBadge } from "./columns";
import {
  ACTIONS,
  actionsOf,
  errorOf,
  hoursUntil,
  jobsOf,
  labelOf,
  type Marking,
  releaseSentence,
  typesOf,
} from "./groups";
import { Latest, Parts } from "./parts";
import type { FailuresSearch } from "./search";
import { Where } from "./Where";

type Details = Schemas["FailureGroupDetails"];

interface DetailProps {
  id: string;
  search: FailuresSearch;
  /** What is being said of it. */
  marking: Marking | null;
  error: Error | null;
  /** The keys mark what is selected in the list, not this group. */
  isAside: boolean;
  /** Whether somebody chose it: keys do nothing to the group that only stands first. */
  isChosen: boolean;
  onMark: (action: FailureAction) => void;
}

/** One group: what failed, since when, where, and what can be done. */
export function FailureDetail({ id, search, ...rest }: DetailProps) {
  const group = useQuery(failureGroup(id));
  useLive([failureGroup(id).queryKey], { restMs: 2000 });
  const title = useId();
  const isMissing = group.error instanceof ApiError && group.error.status === 404;
  return (
    <section className="panel failure" aria-labelledby={title}>
      <Link
        to="/failures"
        search={{ ...search, group: undefined }}
        replace
        className="btn ghost failure-back"
      >
        <Icon name="chevron" size={12} /> All groups
      </Link>
      {isMissing ? (
        <Empty title="There is no such group any more.">
          <p>
            The {count(10_000)} groups that were seen last are kept. Its id was <code>{id}</code>.
          </p>
        </Empty>
      ) : (
        <Answered query={group} rows={10}>
          {(found) => <Found group={found} titleId={title} search={search} {...rest} />}
        </Answered>
      )}
    </section>
  );
}

interface FoundProps extends Omit<DetailProps, "id"> {
  group: Details;
  titleId: string;
}

function Found({ group, titleId, search, marking, error, isAside, isChosen, onMark }: FoundProps) {
  return (
    <>
      <div className="pb">
        <Actions
          group={group}
          marking={marking}
          isAside={isAside || !isChosen}
          isChosen={isChosen}
          onMark={onMark}
        />
        {error && <ErrorNotice error={error} />}
        <h2 id={titleId} className="mono failure-error">
          {errorOf(group)}
        </h2>
        <p className="ink-2">
          <Story group={group} />
        </p>
      </div>
      <History group={group} search={search} />
      <div className="failure-parts pb">
        <Parts title="Release" counts={group.releases} id={group.id} qualifier="release" />
        <Parts title="Worker" counts={group.workers} id={group.id} qualifier="worker" />
        <Parts title="Type" counts={group.types} id={group.id} qualifier="type" />
        <Parts title="Queue" counts={group.queues} id={group.id} qualifier="queue" />
      </div>
      <Where group={group} />
      <Latest group={group} />
    </>
  );
}

/** The buttons, with their keys. A retry asks first, in numbers. */
function Actions({
  group,
  marking,
  isAside,
  isChosen,
  onMark,
}: Pick<FoundProps, "group" | "marking" | "isAside" | "isChosen" | "onMark">) {
  const [isAsking, setAsking] = useState(false);
  const off = useWritesOff();
  const mayControl = useMay("jobs:control");
  const canRetry = mayControl && group.jobs > 0 && off === null;
  const actions = mayControl ? actionsOf(group.state) : [];
  const canMark = off === null && marking === null;

  function ask(): void {
    setAsking(true);
  }

  useCommands([
    ...(canMark
      ? actions.map((action) => ({
          label: `${labelOf(action, group.state)} this group of failures`,
          key: isAside ? undefined : ACTIONS[action].key,
          run: () => {
            onMark(action);
          },
        }))
      : []),
    ...(canRetry
      ? [
          {
            label: `Retry ${plural(group.jobs, "job")} of this group…`,
            key: isChosen ? "r" : undefined,
            run: ask,
          },
        ]
      : []),
  ]);

  return (
    <>
      <div className="row wrap failure-head">
        <StateBadge state={group.state} />
        <span className="t-12 ink-3">
          group <code>{group.id}</code>
        </span>
        <CopyButton text={group.id} label="Copy the group’s id" iconOnly />
        <span className="push row wrap">
          {actions.map((action) => (
            <button
              key={action}
              type="button"
              className="btn"
              disabled={!canMark}
              title={off ?? undefined}
              onClick={() => {
                onMark(action);
              }}
            >
              {marking?.action === action ? ACTIONS[action].doing : labelOf(action, group.state)}{" "}
              {!isAside && <kbd>{ACTIONS[action].key}</kbd>}
            </button>
          ))}
          {mayControl && (
            <button
              type="button"
              className="btn primary"
              disabled={!canRetry}
              title={off ?? (group.jobs === 0 ? "None of its jobs is failed now." : undefined)}
              onClick={ask}
            >
              Retry {count(group.jobs)}… {isChosen && <kbd>r</kbd>}
            </button>
          )}
        </span>
      </div>
      {isAsking && (
        <BulkQuestion
          verb="retry"
          chosen={{ filter: jobsWith({ ...jobsOf(group.id) }).q }}
          about="The failed jobs of this group"
          onClose={() => {
            setAsking(false);
          }}
        />
      )}
    </>
  );
}

/** Where and since when, and what was said of it, in sentences. */
function Story({ group }: { group: Details }) {
  const last = group.frames.at(-1);
  return (
    <>
      {typesOf(group)}
      {last !== undefined && (
        <>
          , in <code>{last}</code>
        </>
      )}
      , since <Time at={group.first_seen} />, last <Time at={group.last_seen} as="ago" />.{" "}
      <Marks group={group} />
      {releaseSentence(group)}
    </>
  );
}

function Marks({ group: { state, marked_at, regressed_at, regressed_in } }: { group: Details }) {
  if (state === "regressed")
    return (
      <>
        <b className="m failed">
          Regressed since <Time at={regressed_at} />
          {regressed_in !== null && <> in release {regressed_in}</>}
        </b>
        , after it was resolved <Time at={marked_at} />.{" "}
      </>
    );
  if (marked_at === null) return null;
  if (state === "resolved")
    return (
      <>
        Resolved <Time at={marked_at} />: it is regressed if it fails again.{" "}
      </>
    );
  if (state === "ignored")
    return (
      <>
        Ignored since <Time at={marked_at} />.{" "}
      </>
    );
  return (
    <>
      Reopened <Time at={marked_at} />.{" "}
    </>
  );
}

const WEEK_H = 168;
const DAY_H = 24;

/** Failures over the hours of a day or a week. */
function History({ group, search }: { group: Details; search: FailuresSearch }) {
  const hours = search.span === "7d" ? WEEK_H : DAY_H;
  const at = hoursUntil(useNow(), hours);
  const spans = [
    ["24h", undefined],
    ["7d", "7d"],
  ] as const;
  return (
    <div className="failure-history">
      <Bars
        title={`Failures by hour, ${hours === DAY_H ? "24 hours" : "7 days"}`}
        at={at}
        stacks={[{ status: "failed", values: group.hours_of_week.slice(-hours) }]}
        height={86}
      />
      <nav className="seg" aria-label="How far back">
        {spans.map(([label, span]) => (
          <Link
            key={label}
            to="/failures"
            search={{ ...search, group: group.id, span }}
            replace
            activeOptions={{ explicitUndefined: true }}
            aria-current={search.span === span ? "true" : undefined}
          >
            {label}
          </Link>
        ))}
      </nav>
    </div>
  );
}
