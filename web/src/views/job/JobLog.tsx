import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { log, MOST_LINES, wholeLog } from "@/api/queries";
import type { LogLine } from "@/api/types";
import { useCommands } from "@/commands/commands";
import { Icon } from "@/components/Icon";
import { Marked } from "@/components/Marked";
import { Panel } from "@/components/Panel";
import { Answered, ErrorNotice } from "@/components/states";
import { count, exactClock, fullTime, plural } from "@/format/format";
import type { JobSearch } from "./route";

/** Below it, the log follows what is new. */
const NEAR_END_PX = 24;

/** The job's own log: live, with a search and levels, whose words are in the URL. */
export function JobLog({ jobId, search }: { jobId: string; search: JobSearch }) {
  const lines = useQuery(log(jobId));
  return (
    <Answered query={lines} rows={3}>
      {(found) => <Lines jobId={jobId} lines={found} search={search} />}
    </Answered>
  );
}

function Lines({ jobId, lines, search }: { jobId: string; lines: readonly LogLine[]; search: JobSearch }) {
  const input = useRef<HTMLInputElement>(null);
  const navigate = useNavigate();
  const words = search.log ?? "";
  const wanted = words.toLowerCase();
  const hits = lines.filter(
    ({ message, level }) =>
      (search.level === undefined || level === search.level) &&
      (wanted === "" || message.toLowerCase().includes(wanted)),
  );
  const change = (next: Partial<JobSearch>) =>
    void navigate({
      to: "/jobs/$jobId",
      params: { jobId },
      search: { ...search, ...next },
      replace: true,
      resetScroll: false,
    });
  useCommands(
    lines.length > 0
      ? [
          {
            label: "Search the log",
            key: "/",
            run: () => {
              input.current?.focus();
            },
          },
        ]
      : [],
  );
  const isAll = hits.length === lines.length;
  return (
    <Panel
      title="Log"
      sub={isAll ? plural(lines.length, "line") : `${count(hits.length)} of ${plural(lines.length, "line")}`}
      actions={
        lines.length > 0 && (
          <>
            <label className="input log-search">
              <Icon name="search" />
              <input
                ref={input}
                aria-label="Search the log"
                value={words}
                onChange={(event) => {
                  change({ log: event.target.value || undefined });
                }}
              />
              <kbd>/</kbd>
            </label>
            <Download jobId={jobId} />
          </>
        )
      }
      foot={
        lines.length >= MOST_LINES
          ? `The last ${count(MOST_LINES)} lines. The download has all that are kept.`
          : undefined
      }
    >
      {lines.length === 0 ? (
        <p className="pb ink-3 t-12">
          Its task has logged nothing with <code>current_job().log(…)</code>.
        </p>
      ) : (
        <>
          <Levels
            lines={lines}
            level={search.level}
            onChange={(level) => {
              change({ level });
            }}
          />
          <Shown lines={hits} words={words} />
        </>
      )}
    </Panel>
  );
}

function Levels({
  lines,
  level,
  onChange,
}: {
  lines: readonly LogLine[];
  level: string | undefined;
  onChange: (level: string | undefined) => void;
}) {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line.level, (counts.get(line.level) ?? 0) + 1);
  if (counts.size < 2 && level === undefined) return null;
  return (
    <div className="log-levels">
      <div className="seg" role="group" aria-label="Level">
        {[undefined, ...counts.keys()].map((each) => (
          <button
            key={each ?? ""}
            type="button"
            aria-pressed={level === each}
            onClick={() => {
              onChange(each);
            }}
          >
            <span>
              {each ?? "All"} <span className="ink-3">{count(each ? counts.get(each) : lines.length)}</span>
            </span>
          </button>
        ))}
      </div>
    </div>
  );
}

/** The lines. While the end is in sight, it stays there when lines are added. */
function Shown({ lines, words }: { lines: readonly LogLine[]; words: string }) {
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    if (follows.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines.length]);
  return (
    <div
      ref={box}
      className="log"
      tabIndex={0}
      role="log"
      aria-label="Log"
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        follows.current = scrollTop + clientHeight > scrollHeight - NEAR_END_PX;
      }}
    >
      {lines.length === 0 && <p className="ink-3 none">No line matches.</p>}
      {lines.map(({ id, at, level, message }) => (
        <div key={id} className={`l-${level.toLowerCase()}`}>
          <time dateTime={at} title={fullTime(at)}>
            {exactClock(at)}
          </time>
          <span className="w">{level}</span>
          <span>
            <Marked text={message} words={words} />
          </span>
        </div>
      ))}
    </div>
  );
}

function Download({ jobId }: { jobId: string }) {
  const [state, setState] = useState<"ready" | "loading" | Error>("ready");

  async function download(): Promise<void> {
    setState("loading");
    try {
      const lines = await wholeLog(jobId);
      const text = lines.map(({ at, level, message }) => `${at} ${level} ${message}\n`).join("");
      const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
      const link = document.createElement("a");
      Object.assign(link, { href: url, download: `${jobId}.log` }).click();
      URL.revokeObjectURL(url);
      setState("ready");
    } catch (error) {
      setState(error instanceof Error ? error : new Error(String(error)));
    }
  }

  return (
    <>
      <button
        type="button"
        className="btn ghost small"
        disabled={state === "loading"}
        onClick={() => void download()}
      >
        <Icon name="download" size={12} />
        {state === "loading" ? "Loading…" : "Download"}
      </button>
      {state instanceof Error && <ErrorNotice error={state} />}
    </>
  );
}
