import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from "react";
import { jobTypes } from "@/api/queries";
import type { JobSummary } from "@/api/types";
import { Dialog } from "@/components/Dialog";
import { Icon, StatusIcon } from "@/components/Icon";
import { ErrorNotice } from "@/components/states";
import { Time } from "@/components/Time";
import { count, plural, shortId } from "@/format/format";
import { useWritesOff } from "@/live/connection";
import { hindrance, MOST, notesOf, type Share, sharesOf, TYPED_FROM, type Verb, WORDS } from "./bulk";
import { startRun } from "./bulkRun";
import { hindranceOf, unannounced } from "./unannounced";
import type { Matching } from "./useMatching";
import "./bulk.css";

interface PreviewProps {
  verb: Verb;
  /** For which jobs: those of the list, or what is found of all that match. */
  matching: Matching;
  /** The filter, if it is for all that match. */
  q: string | null;
  onClose: () => void;
  onStarted: () => void;
}

const EXAMPLES = 3;
/** `showModal` focuses what has this attribute; React's own `autoFocus` comes before and is lost. */
function focusFirst(element: HTMLElement | null): void {
  element?.setAttribute("autofocus", "");
  element?.focus(); // it may come when the dialog is open already
}

/** Step one: what will happen to how many, before anything does. */
export function BulkPreview({ verb, matching, q, onClose, onStarted }: PreviewProps) {
  const [reason, setReason] = useState("");
  const [terminate, setTerminate] = useState(false);
  const [typed, setTyped] = useState("");
  const off = useWritesOff();
  const words = WORDS[verb];
  const options = { reason, terminate };
  const shares = sharesOf(verb, matching.jobs, options);
  const doable = shares.filter((share) => share.doable).flatMap((share) => share.jobs);
  const types = useQuery(jobTypes).data;
  const warning = verb === "retry" && types ? hindranceOf(unannounced(doable, types)) : null;
  const isTyped = doable.length >= TYPED_FROM;
  const why =
    off ?? (matching.isDone ? hindrance(doable.length, typed) : "The jobs are still being counted.");

  function start(): void {
    if (why !== null) return;
    startRun(verb, doable, options);
    onStarted();
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      start();
    }
  }

  return (
    <Dialog
      title={`${words.do} ${plural(doable.length, "job")}?`}
      className="bulk-dialog"
      onClose={onClose}
      onKeyDown={onKeyDown}
      footer={
        <>
          <span className="ink-3 t-12 hide-s">
            <kbd>esc</kbd> back to the list
          </span>
          <span className="push" />
          <button
            type="button"
            className="btn"
            onClick={onClose}
            ref={verb === "cancel" || isTyped ? undefined : focusFirst}
          >
            {words.keep}
          </button>
          <button
            type="button"
            className={`btn ${verb === "retry" ? "primary" : "danger"}`}
            disabled={why !== null}
            title={why ?? undefined}
            onClick={start}
          >
            {words.do} {plural(doable.length, "job")} <kbd>ctrl</kbd>
            <kbd>enter</kbd>
          </button>
        </>
      }
    >
      <section>
        <p className="t-12 ink-3 bulk-what">
          {q === null ? (
            "Selected in the list"
          ) : (
            <>All that match {q === "" ? "no filter" : <code>{q}</code>}</>
          )}
          , as of <Time at={matching.asOf} />
          {!matching.isDone && `: ${count(matching.jobs.length)} found so far`}
          {matching.isCut && (
            <b className="ink">
              {" "}
              · The first {count(MOST)} only: do it again for the rest, or narrow the filter.
            </b>
          )}
        </p>
        {matching.error && <ErrorNotice error={matching.error} onRetry={matching.retry} />}
        <Shares shares={shares} />
        {warning && <p className="t-12 b">{warning}</p>}
        {notesOf(verb, doable).map((note) => (
          <p className="t-12 ink-2" key={note}>
            {note}
          </p>
        ))}
        <Examples jobs={doable} />
        {verb === "cancel" && (
          <>
            {doable.some(({ status }) => status === "running") && (
              <label className="row bulk-option">
                <input
                  type="checkbox"
                  className="check"
                  checked={terminate}
                  onChange={(event) => {
                    setTerminate(event.target.checked);
                  }}
                />
                Terminate what runs
                <span className="t-12 ink-3">kills it; the pools threads and solo can only ask</span>
              </label>
            )}
            <label className="field">
              <span className="label">
                Reason <span className="hint">shown in each job’s history</span>
              </span>
              <input
                className="input"
                maxLength={300}
                value={reason}
                ref={focusFirst}
                onChange={(event) => {
                  setReason(event.target.value);
                }}
              />
            </label>
          </>
        )}
        {isTyped && (
          <label className="row bulk-option">
            <span className="label">
              Over {TYPED_FROM - 1} jobs: type how many (<b>{count(doable.length)}</b>)
            </span>
            <input
              className="input bulk-typed"
              inputMode="numeric"
              value={typed}
              ref={verb === "cancel" ? undefined : focusFirst}
              onChange={(event) => {
                setTyped(event.target.value);
              }}
            />
          </label>
        )}
        {off !== null && (
          <p className="t-12 failed" role="alert">
            {off}
          </p>
        )}
      </section>
    </Dialog>
  );
}

function Shares({ shares }: { shares: readonly Share[] }) {
  return (
    <ul className="sums" aria-label="What happens">
      {shares.map(({ id, status, jobs, text, doable }) => (
        <li className={`sum ${doable ? "" : "ink-3"}`} key={id}>
          <b>{count(jobs.length)}</b>
          <StatusIcon status={status} />
          <span>
            <span className="sr">{status}: </span>
            {text}
          </span>
        </li>
      ))}
      {shares.length === 0 && <li className="t-12 ink-3">No job yet.</li>}
    </ul>
  );
}

function Examples({ jobs }: { jobs: readonly JobSummary[] }) {
  if (jobs.length < 2) return null;
  return (
    <div className="bulk-examples">
      <p className="t-12 ink-3">
        {Math.min(EXAMPLES, jobs.length)} of {count(jobs.length)}
      </p>
      {jobs.slice(0, EXAMPLES).map((job) => (
        <p className="row t-12" key={job.id}>
          <StatusIcon status={job.status} />
          <span className="cut">{job.name}</span>
          <span className="mono t-11 dim">{shortId(job.id)}</span>
          <span className="push dim nowrap">{job.worker ?? job.queue}</span>
        </p>
      ))}
    </div>
  );
}

/** The focus stays in a dialog whose buttons change. */
export function useFocusOn(element: RefObject<HTMLElement | null>, when: unknown): void {
  useEffect(() => {
    element.current?.focus();
  }, [element, when]);
}

/** A button that goes away does not take the focus with it. */
export function CloseButton({ onClose, when }: { onClose: () => void; when: unknown }) {
  const button = useRef<HTMLButtonElement>(null);
  useFocusOn(button, when);
  return (
    <button type="button" className="btn" ref={button} onClick={onClose}>
      <Icon name="cross" size={12} /> Close
    </button>
  );
}
