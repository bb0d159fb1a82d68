import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { job as jobQuery } from "@/api/queries";
import type { Schemas } from "@/api/types";
import { framesOf, Traceback } from "@/components/Traceback";

/** The traceback of the job that failed last; the project's frames alone where no job is left that has one. */
export function Where({ group }: { group: Schemas["FailureGroupDetails"] }) {
  const [isUnfolded, setUnfolded] = useState(false);
  const last = group.samples[0]?.id;
  const job = useQuery({ ...jobQuery(last ?? ""), enabled: last !== undefined });
  const error = job.data?.error;
  const library = error ? framesOf(error.traceback).library : 0;
  if (!error?.traceback && group.frames.length === 0) return null;
  return (
    <section aria-label="Where" className="failure-where">
      <h3 className="failure-sub row">
        Where
        <span className="ink-3">
          {error?.traceback ? "in the job that failed last" : "the deepest frames of the project"}
        </span>
        {library > 0 && (
          <button
            type="button"
            className="btn ghost small push"
            aria-pressed={isUnfolded}
            onClick={() => {
              setUnfolded(!isUnfolded);
            }}
          >
            {isUnfolded ? "Fold" : "Unfold"}
          </button>
        )}
      </h3>
      {error?.traceback ? (
        <Traceback {...error} isUnfolded={isUnfolded} />
      ) : (
        <ol className="failure-frames mono t-12">
          {group.frames.map((frame) => (
            <li key={frame}>{frame}</li>
          ))}
        </ol>
      )}
    </section>
  );
}
