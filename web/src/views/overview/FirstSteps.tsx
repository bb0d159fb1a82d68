import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { health, jobTypes, workers } from "@/api/queries";
import { CopyButton } from "@/components/CopyButton";
import { Icon } from "@/components/Icon";
import { plural } from "@/format/format";
import { POLL_S } from "@/live/polling";
import { useLive } from "@/live/useLive";

const TRACK =
  "from jobtracker import Tracker\n\ntracker = Tracker(app)  # your Celery app; tracks all of its tasks";

/** A new installation: three steps to the first job, which tick themselves off. */
export function FirstSteps() {
  const parts = useQuery(health).data?.components;
  const known = useQuery(workers).data ?? [];
  const types = useQuery(jobTypes).data ?? [];
  useLive([health.queryKey, workers.queryKey, jobTypes.queryKey], { on: "clock" });
  const answers = parts !== undefined && parts.redis?.healthy === true && parts.broker?.healthy === true;
  const hasWorker = known.some(({ online }) => online);
  return (
    <div className="first">
      <div>
        <h2 className="t-18">No jobs yet. Three steps to the first one.</h2>
        <p className="ink-2">
          This page goes on by itself as each of them is done; nothing has to be reloaded.
        </p>
      </div>
      <ol className="panel steps">
        <Step number={1} done={answers} now={!answers} title="The API runs, the store and the broker answer">
          {answers ? (
            <p>They answer.</p>
          ) : (
            <p>
              {parts === undefined
                ? "Not asked yet."
                : (parts.redis?.detail ?? parts.broker?.detail ?? "Not well.")}{" "}
              <Link to="/health">Health</Link>
            </p>
          )}
        </Step>
        <Step
          number={2}
          done={hasWorker}
          now={answers && !hasWorker}
          title="Track your tasks, and start a worker"
        >
          {hasWorker ? (
            <p>{plural(known.length, "worker")} answers.</p>
          ) : (
            <>
              <p>Two lines in the project that you have:</p>
              <Command text={TRACK} />
              <Command text="celery -A your_app worker" />
              <p>Waits for a worker. It shows up here within {POLL_S} s of its start.</p>
            </>
          )}
        </Step>
        <Step number={3} done={false} now={answers && hasWorker} title="Send a job">
          <p>
            As ever, <code>your_task.delay(…)</code>; or from a form, once a worker has announced its types.
          </p>
          {types.length > 0 && (
            <Link to="/types" className="btn primary">
              Choose one of {plural(types.length, "type")}
            </Link>
          )}
        </Step>
      </ol>
      <p className="t-12 ink-2">
        <code>make demo</code> shows it all with a document job.
      </p>
    </div>
  );
}

interface StepProps {
  number: number;
  done: boolean;
  now: boolean;
  title: string;
  children: ReactNode;
}

function Step({ number, done, now, title, children }: StepProps) {
  return (
    <li className={`step ${done ? "done" : now ? "now" : ""}`} aria-current={now ? "step" : undefined}>
      <span className="step-mark">
        {done ? <Icon name="check" /> : number}
        {done && <span className="sr">Done: </span>}
      </span>
      <div className="col">
        <h3>{title}</h3>
        <div className="col t-12 ink-2">{children}</div>
      </div>
    </li>
  );
}

function Command({ text }: { text: string }) {
  return (
    <div className="command">
      <pre className="t-12" tabIndex={0}>
        {text}
      </pre>
      <CopyButton text={text} />
    </div>
  );
}
