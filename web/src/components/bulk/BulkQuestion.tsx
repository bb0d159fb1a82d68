import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, type ReactNode, useState } from "react";
import { beginBulk, bulkPreview, type BulkPreview } from "@/api/bulk";
import type { JobSummary } from "@/api/types";
import { Dialog } from "@/components/Dialog";
import { Icon, StatusIcon } from "@/components/Icon";
import { Answered, ErrorNotice } from "@/components/states";
import { Time } from "@/components/Time";
import { count, shortId } from "@/format/format";
import { useWritesOff } from "@/live/connection";
import { BulkOptions, Confirm, focusFirst } from "./BulkOptions";
import {
  aimOf,
  aimText,
  type Chosen,
  confirmationOf,
  hindrance,
  notesOf,
  type Options,
  previewOf,
  requestOf,
  sharesOf,
  typesText,
  type Verb,
  WORDS,
} from "./bulk";
import { follow } from "./pending";
import { hindranceOf } from "./unannounced";
import "./bulk.css";

interface BulkQuestionProps {
  verb: Verb;
  chosen: Chosen;
  /** The jobs of these that are in sight: they are pending until their records say otherwise. */
  inSight?: readonly JobSummary[];
  /** What it is about, where that is more than a selection or a filter. */
  about?: ReactNode;
  onClose: () => void;
  onStarted?: () => void;
}

const EXAMPLES = 3;

/** Asks before a change of many jobs, in numbers: how many, what happens to each, what is left alone, and why. */
export function BulkQuestion({ verb, chosen, inSight = [], about, onClose, onStarted }: BulkQuestionProps) {
  // The jobs stay those of the moment in which somebody asked.
  const [asked] = useState(() => ({ chosen, inSight, asOf: Date.now() }));
  const [options, setOptions] = useState<Options>({ action: verb, reason: "", tags: "", priority: "normal" });
  const [given, setGiven] = useState({ typed: "", said: false });
  const navigate = useNavigate();
  const off = useWritesOff();
  const { action } = options;
  const words = WORDS[action];
  const preview = useQuery(bulkPreview(previewOf(asked.chosen, { action: verb }), asked.asOf));
  const begin = useMutation({
    mutationFn: beginBulk,
    onSuccess: (run) => {
      follow(run, asked.inSight);
      onStarted?.();
      onClose();
      void navigate({ to: ".", search: (old) => ({ ...old, bulk: run.id }), resetScroll: false });
    },
  });
  const found = preview.data;
  const confirmation = found ? confirmationOf(found, action, asked.chosen) : null;
  const why = off ?? hindrance(found, options, confirmation, given);
  const aim = found ? aimText(found) : "jobs";
  const hasOwnField = verb === "cancel" || verb === "tag" || verb === "reprioritise";

  function start(): void {
    if (why === null && !begin.isPending) begin.mutate(requestOf(asked.chosen, options));
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      start();
    }
  }

  return (
    <Dialog
      title={`${words.do} ${aim}?`}
      className="bulk-dialog"
      onClose={onClose}
      onKeyDown={onKeyDown}
      footer={
        <>
          <span className="ink-3 t-12 hide-s">{why ?? "It goes on when this page is closed."}</span>
          <span className="push" />
          <button
            type="button"
            className="btn"
            onClick={onClose}
            ref={hasOwnField || confirmation ? undefined : focusFirst}
          >
            {words.keep}
          </button>
          <button
            type="button"
            className={`btn ${action === "cancel" || action === "terminate" || action === "delete" ? "danger" : "primary"}`}
            disabled={why !== null || begin.isPending}
            title={why ?? undefined}
            onClick={start}
          >
            {words.do} {aim} <kbd>ctrl</kbd>
            <kbd>enter</kbd>
          </button>
        </>
      }
    >
      <section>
        <p className="t-12 ink-3 bulk-what">
          {about ?? <About chosen={asked.chosen} />}, as of <Time at={asked.asOf} />
        </p>
        <Answered query={preview} rows={3}>
          {(answer) => <Preview preview={answer} options={options} />}
        </Answered>
        <BulkOptions
          verb={verb}
          options={options}
          runs={found?.kinds.some(({ status }) => status === "running") ?? false}
          onChange={setOptions}
        />
        <Confirm confirmation={confirmation} given={given} isFirst={!hasOwnField} onChange={setGiven} />
        {begin.error && <ErrorNotice error={begin.error} />}
        {off !== null && (
          <p className="t-12 failed" role="alert">
            {off}
          </p>
        )}
      </section>
    </Dialog>
  );
}

function About({ chosen }: { chosen: Chosen }) {
  if ("jobs" in chosen) return "Selected in the list";
  if (chosen.filter.trim() === "") return "All jobs that there are";
  return (
    <>
      All that match <code>{chosen.filter}</code>
    </>
  );
}

function Preview({ preview, options: { action } }: { preview: BulkPreview; options: Options }) {
  const { condition, do: verb } = WORDS[action];
  const shares = sharesOf(preview, action);
  const shown = shares.reduce((sum, each) => sum + each.count, 0);
  const types = typesText(preview);
  const warning = hindranceOf(preview.unannounced ?? []);
  const below = preview.below ?? 0;
  const leftAlone = preview.left_alone ?? 0;
  return (
    <>
      <ul className="sums" aria-label="What happens">
        {shares.map(({ status, count: found, text }) => (
          <li className="sum" key={status}>
            <b>{count(found)}</b>
            <StatusIcon status={status} />
            <span>
              <span className="sr">{status}: </span>
              {text}
            </span>
          </li>
        ))}
        {below > 0 && (
          <li className="sum">
            <b>{count(below)}</b>
            <Icon name="tree" />
            <span>are sub-jobs of these that match, too: they go with them</span>
          </li>
        )}
        {leftAlone > 0 && (
          <li className="sum ink-3">
            <b>{count(leftAlone)}</b>
            <Icon name="pause" />
            <span>
              are left alone: to {verb.toLowerCase()} a job, it must be {condition}
            </span>
          </li>
        )}
        {shares.length + leftAlone === 0 && preview.is_exact && (
          <li className="t-12 ink-3">{preview.count === 0 ? "No job matches." : "Sub-jobs only."}</li>
        )}
      </ul>
      {preview.below === null && (
        <p className="t-12 ink-2">
          The first {count(preview.looked_at)} jobs were looked at
          {preview.looked_to && (
            <>
              , up to <Time at={preview.looked_to} />
            </>
          )}
          {preview.is_exact
            ? `: of ${count(aimOf(preview))}, ${count(shown)} are counted above. It changes all.`
            : ". There may be more: it changes all that match."}
        </p>
      )}
      {types && <p className="t-12 ink-2">{types}</p>}
      {warning && <p className="t-12 b">{warning}</p>}
      {notesOf(preview, action).map((note) => (
        <p className="t-12 ink-2" key={note}>
          {note}
        </p>
      ))}
      <Examples preview={preview} />
    </>
  );
}

function Examples({ preview }: { preview: BulkPreview }) {
  const { sample } = preview;
  if (sample.length < 2) return null;
  const shown = sample.slice(0, EXAMPLES);
  return (
    <div className="bulk-examples">
      {aimOf(preview) > shown.length && (
        <p className="t-12 ink-3">
          The first {shown.length} of {aimText(preview)}
        </p>
      )}
      {shown.map((job) => (
        <p className="row t-12" key={job.id}>
          <StatusIcon status={job.status} />
          <span className="cut">{job.name}</span>
          <span className="mono t-11 dim">{shortId(job.id)}</span>
          <span className="push dim nowrap cut">{job.worker ?? job.queue}</span>
        </p>
      ))}
    </div>
  );
}
