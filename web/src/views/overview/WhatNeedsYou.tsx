import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Fragment, useRef, useState } from "react";
import { attention } from "@/api/queries";
import { useMay } from "@/api/session";
import { useCommands } from "@/commands/commands";
import { Icon, StatusIcon } from "@/components/Icon";
import { Panel } from "@/components/Panel";
import { Spark } from "@/components/Spark";
import { Answered } from "@/components/states";
import { Time } from "@/components/Time";
import { count, plural, shortId } from "@/format/format";
import { useLive } from "@/live/useLive";
import { type Need, needsOf } from "./needs";

/** So many lines are shown at first. */
const FIRST = 6;

/** What does not get better by itself, each with one way to go on. */
export function WhatNeedsYou() {
  const found = useQuery(attention);
  useLive([attention.queryKey], { on: "clock" });
  const list = useRef<HTMLUListElement>(null);
  const [isWhole, setWhole] = useState(false);
  const needs = found.data ? needsOf(found.data) : [];
  const shown = isWhole ? needs : needs.slice(0, FIRST);
  const most = Math.max(1, ...shown.flatMap(({ hours }) => hours ?? []));

  function move(by: 1 | -1): void {
    const links = [...(list.current?.querySelectorAll<HTMLElement>(".do a") ?? [])];
    const now = links.findIndex((link) => link === document.activeElement);
    links[now < 0 ? 0 : Math.max(0, Math.min(links.length - 1, now + by))]?.focus();
  }

  useCommands(
    needs.length === 0
      ? []
      : [
          {
            label: "Next of what needs you",
            key: "j",
            keyOnly: true,
            run: () => {
              move(1);
            },
          },
          {
            label: "Previous of what needs you",
            key: "k",
            keyOnly: true,
            run: () => {
              move(-1);
            },
          },
        ],
  );

  return (
    <Panel
      title="What needs you"
      sub={
        found.data && (
          <>
            <span className="badge solid">{count(needs.length)}</span>{" "}
            <span className="hide-s">
              looked <Time at={found.data.at} as="ago" /> at {count(found.data.looked_at)} of{" "}
              {plural(found.data.open_jobs, "open job")}, and at{" "}
              <Link to="/jobs" search={{ q: "status:failed finished:1h" }}>
                {plural(found.data.failed, "job")} that failed in the last hour
              </Link>
            </span>
          </>
        )
      }
    >
      <Answered query={found}>
        {({ unavailable, blocked_left_out, more_failures }) => (
          <>
            {needs.length === 0 && (
              <p className="pb row ink-2">
                <Icon name="check" /> Nothing{unavailable.length > 0 ? ", as far as could be found out" : ""}:
                all open jobs can proceed, and no failure is new or back.
              </p>
            )}
            <ul ref={list} className="needs">
              {shown.map((need) => (
                <NeedLine key={need.key} need={need} most={most} />
              ))}
            </ul>
            {shown.length < needs.length && (
              <button
                type="button"
                className="btn ghost needs-more"
                onClick={() => {
                  setWhole(true);
                }}
              >
                Show {count(needs.length - shown.length)} more
              </button>
            )}
            {(blocked_left_out > 0 || more_failures) && (
              <p className="pb t-12 ink-3">
                {blocked_left_out > 0 &&
                  `Smaller groups are left out: ${plural(blocked_left_out, "blocked job")}. `}
                {more_failures && (
                  <Link to="/failures">
                    There may be further groups of failures that are new or regressed.
                  </Link>
                )}
              </p>
            )}
            {unavailable.map((what) => (
              <p className="pb t-12 row failed" key={what}>
                <Icon name="alert" size={12} /> Not known: {what}
              </p>
            ))}
          </>
        )}
      </Answered>
    </Panel>
  );
}

function NeedLine({ need, most }: { need: Need; most: number }) {
  const { mark, what, subject, code, why, at, example, hours, holders, action } = need;
  const may = useMay(action.scope ?? "jobs:read");
  return (
    <li className="need">
      {"status" in mark ? <StatusIcon status={mark.status} /> : <Icon name={mark.icon} />}
      <p className="what">
        {what} {subject !== null && <code>{subject}</code>}
      </p>
      <p className="why">
        {code !== null && <span className="code">{code}</span>} {why}
        {at && (
          <>
            {" "}
            · {at.words} <Time at={at.time} />
          </>
        )}
        {example !== null && (
          <>
            {" · for example "}
            <JobLink id={example} />
          </>
        )}
        {holders.length > 0 && (
          <>
            {` · ${holders.length === 1 ? "the slot has" : "slots have"} `}
            {holders.map((id, index) => (
              <Fragment key={id}>
                {index > 0 && ", "}
                <JobLink id={id} />
              </Fragment>
            ))}
          </>
        )}
      </p>
      <span className="do">
        {hours !== undefined && (
          <span className="need-spark hide-s">
            <Spark values={hours} most={most} label="Failures in each of the last 24 hours" />
          </span>
        )}
        {may && (
          <Link {...action.way} className="btn small">
            {action.label}
          </Link>
        )}
      </span>
    </li>
  );
}

function JobLink({ id }: { id: string }) {
  return (
    <Link to="/jobs/$jobId" params={{ jobId: id }} className="mono">
      {shortId(id)}
    </Link>
  );
}
