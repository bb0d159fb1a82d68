import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { failureGroup } from "@/api/queries";
import type { Job } from "@/api/types";
import { CopyButton } from "@/components/CopyButton";
import { Panel } from "@/components/Panel";
import { framesOf, Traceback } from "@/components/Traceback";
import { Time } from "@/components/Time";
import { count } from "@/format/format";
import type { PastError } from "./previousError";

/** Why it failed: the traceback with your own frames marked and those of libraries folded. */
export function ErrorPanel({
  error,
  group,
}: {
  error: NonNullable<Job["error"]>;
  /** The id of its failure group. */
  group: string | null;
}) {
  const [isUnfolded, setUnfolded] = useState(false);
  const { ours, library } = framesOf(error.traceback);
  return (
    <Panel
      title="Error"
      sub={
        ours + library === 0
          ? error.type
          : `${count(ours)} ${ours === 1 ? "frame" : "frames"} of yours${library > 0 ? `, ${count(library)} ${isUnfolded ? "of libraries" : "folded"}` : ""}`
      }
      actions={
        <>
          {group !== null && <AlikeLink group={group} />}
          {library > 0 && (
            <button
              type="button"
              className="btn ghost small"
              aria-pressed={isUnfolded}
              onClick={() => {
                setUnfolded(!isUnfolded);
              }}
            >
              {isUnfolded ? "Fold" : "Unfold"}
            </button>
          )}
          <CopyButton text={error.traceback ?? `${error.type}: ${error.message}`} />
        </>
      }
    >
      <Traceback {...error} isUnfolded={isUnfolded} />
    </Panel>
  );
}

/** How many jobs are failed in the same way, and the way there; nothing while that is not known. */
function AlikeLink({ group }: { group: string }) {
  const { data } = useQuery(failureGroup(group));
  if (!data) return null;
  return (
    <Link to="/failures" search={{ group }} className="t-12">
      {data.jobs > 1 ? `1 of ${count(data.jobs)} like this` : "The only one like this"}
    </Link>
  );
}

/** Why the attempt or run before did not succeed, while the next one waits or runs. */
export function PreviousError({ error }: { error: PastError | null }) {
  if (error === null) return null;
  const { type, message, worker } = error;
  return (
    <Panel
      title={`Error of ${error.of}`}
      sub={<Time at={error.at} />}
      actions={<CopyButton text={error.line} />}
      foot={
        <span>
          Only this line of it is kept.
          {worker !== null && (
            <>
              {" "}
              The traceback may be in the log of <code>{worker}</code>.
            </>
          )}
        </span>
      }
    >
      <Traceback type={type} message={message} />
    </Panel>
  );
}
