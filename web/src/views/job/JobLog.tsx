import type { Schemas } from "@/api/types";
import { useState } from "react";
import { Icon } from "@/components/Icon";
import { Marked } from "@/components/Marked";
import { Panel } from "@/components/Panel";
import { exactClock, fullTime, plural } from "@/format/format";

/** The job's own log, with a search in it. */
export function JobLog({ lines }: { lines: readonly Schemas["LogLine"][] }) {
  const [words, setWords] = useState("");
  const hits =
    words === "" ? lines : lines.filter(({ message }) => message.toLowerCase().includes(words.toLowerCase()));
  const search = lines.length > 0 && (
    <label className="input log-search">
      <Icon name="search" />
      <input
        aria-label="Search the log"
        value={words}
        onChange={(event) => {
          setWords(event.target.value);
        }}
      />
      <span className="t-11 ink-3">{words !== "" && `${hits.length} of ${lines.length}`}</span>
    </label>
  );
  return (
    <Panel title="Log" sub={plural(lines.length, "line")} actions={search}>
      {lines.length === 0 ? (
        <p className="pb ink-3 t-12">Its task has logged nothing by its job’s logger.</p>
      ) : (
        <div className="log" tabIndex={0} role="log" aria-label="Log">
          {hits.map(({ id, at, level, message }) => (
            <div key={id}>
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
      )}
    </Panel>
  );
}
