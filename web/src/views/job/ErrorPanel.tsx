import { useState } from "react";
import type { Job } from "@/api/types";
import { CopyButton } from "@/components/CopyButton";
import { Panel } from "@/components/Panel";
import { framesOf, Traceback } from "@/components/Traceback";
import { count } from "@/format/format";

/** Why it failed: the traceback with your own frames marked and those of libraries folded. */
export function ErrorPanel({ error }: { error: NonNullable<Job["error"]> }) {
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
