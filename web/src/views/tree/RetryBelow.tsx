import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { ApiError } from "@/api/client";
import { retryJob } from "@/api/writes";
import { Dialog } from "@/components/Dialog";
import { StatusIcon } from "@/components/Icon";
import { count, plural } from "@/format/format";
import { retryPlan, type Tree } from "./outline";

const AT_ONCE = 4;
const EXAMPLES = 3;
/** Over so many jobs the number is typed. */
const TYPED_ABOVE = 100;
const MOST_REFUSALS = 20;

interface Refusal {
  readonly id: string;
  readonly name: string;
  readonly detail: string;
}

interface Course {
  readonly done: number;
  readonly refused: readonly Refusal[];
  readonly state: "asking" | "runs" | "stopped" | "over";
}

interface RetryBelowProps {
  tree: Tree;
  row: number;
  onClose: () => void;
}

/** Retries what failed or was cancelled in a row and below it: how many before, how far meanwhile, what became of each after. */
export function RetryBelow({ tree, row, onClose }: RetryBelowProps) {
  // What the preview counted is what is retried, even if the tree changes meanwhile.
  const [{ plan, names }] = useState(() => ({
    plan: retryPlan(tree, row),
    names: new Map(retryPlan(tree, row).rows.map((each) => [each, tree.columns.name[each] ?? ""])),
  }));
  const client = useQueryClient();
  const [typed, setTyped] = useState("");
  const [course, setCourse] = useState<Course>({ done: 0, refused: [], state: "asking" });
  const isStopped = useRef(false);
  const jobs = plan.failed + plan.cancelled;
  const mustType = jobs > TYPED_ABOVE;
  const isTyped = !mustType || typed.replace(/\D/g, "") === String(jobs);
  const ids = plan.rows.map((each) => [tree.columns.id[each] ?? "", names.get(each) ?? ""] as const);

  async function run(): Promise<void> {
    const left = [...ids];
    const refused: Refusal[] = [];
    let done = 0;
    setCourse({ done, refused, state: "runs" });
    const work = async () => {
      for (let next = left.shift(); next !== undefined && !isStopped.current; next = left.shift()) {
        const [id, name] = next;
        try {
          await retryJob(id);
          done += 1;
        } catch (error) {
          const request = error instanceof ApiError && error.requestId ? ` (request ${error.requestId})` : "";
          refused.push({
            id,
            name,
            detail: `${error instanceof Error ? error.message : String(error)}${request}`,
          });
        }
        setCourse({ done, refused: [...refused], state: "runs" });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    setCourse({ done, refused: [...refused], state: isStopped.current ? "stopped" : "over" });
    await client.invalidateQueries({ queryKey: ["tree"] });
  }

  const { done, refused, state } = course;
  const name = tree.columns.name[row] ?? "";
  const tried = done + refused.length;
  return (
    <Dialog
      title={row === 0 ? "Retry what did not complete?" : `Retry what did not complete in “${name}”?`}
      onClose={onClose}
      footer={
        <>
          <span className="push" />
          {state === "runs" ? (
            <button
              type="button"
              className="btn"
              onClick={() => {
                isStopped.current = true;
              }}
            >
              Stop
            </button>
          ) : (
            <button type="button" className="btn" onClick={onClose}>
              {state === "asking" ? "Leave it" : "Close"}
            </button>
          )}
          {state === "asking" && (
            <button
              type="button"
              className="btn primary"
              disabled={!isTyped || jobs === 0}
              onClick={() => void run()}
            >
              Retry {plural(jobs, "job")}
            </button>
          )}
        </>
      }
    >
      <section className="col">
        {mustType && state === "asking" && (
          <div className="field">
            <label htmlFor="retry-count">Type {count(jobs)} to confirm</label>
            <input
              id="retry-count"
              className="input"
              inputMode="numeric"
              autoComplete="off"
              value={typed}
              onChange={(event) => {
                setTyped(event.target.value);
              }}
            />
          </div>
        )}
        <div>
          <p className="sum">
            <b>{count(plan.failed)}</b>
            <StatusIcon status="failed" />
            <span>failed: they run again</span>
          </p>
          <p className="sum">
            <b>{count(plan.cancelled)}</b>
            <StatusIcon status="cancelled" />
            <span>cancelled: they run again</span>
          </p>
        </div>
        {state === "asking" ? (
          <p className="ink-2">
            What completed is kept. {plural(ids.length, "retry", "retries")}
            {ids.length > 0 &&
              `: ${ids
                .slice(0, EXAMPLES)
                .map(([, each]) => each)
                .join(", ")}`}
            {ids.length > EXAMPLES && ", …"}
          </p>
        ) : (
          <>
            <p role="status">
              {state === "stopped" ? "Stopped: " : state === "runs" ? "Retrying: " : ""}
              {count(done)} of {plural(ids.length, "retry", "retries")} accepted
              {refused.length > 0 && `, ${count(refused.length)} refused`}
            </p>
            <meter
              className="progress"
              min={0}
              max={Math.max(1, ids.length)}
              value={tried}
              aria-label="Retries asked"
            />
            <ul className="refusals">
              {refused.slice(0, MOST_REFUSALS).map(({ id, name: of, detail }) => (
                <li key={id}>
                  <Link to="/jobs/$jobId" params={{ jobId: id }}>
                    {of}
                  </Link>
                  : {detail}
                </li>
              ))}
              {refused.length > MOST_REFUSALS && <li>… and {count(refused.length - MOST_REFUSALS)} more</li>}
            </ul>
          </>
        )}
      </section>
    </Dialog>
  );
}
