import { useState } from "react";
import { MOST_IDS } from "@/api/bulk";
import { BulkQuestion } from "@/components/bulk/BulkQuestion";
import { count, plural } from "@/format/format";
import { retryPlan, type Tree } from "./outline";

interface RetryBelowProps {
  tree: Tree;
  row: number;
  onClose: () => void;
}

/** Retries what failed or was cancelled in a row and below it. */
export function RetryBelow({ tree, row, onClose }: RetryBelowProps) {
  // What was counted is what is retried, even if the tree changes meanwhile.
  const [{ jobs, failed, cancelled }] = useState(() => {
    const plan = retryPlan(tree, row);
    return { ...plan, jobs: plan.rows.map((each) => ({ id: tree.columns.id[each] ?? "" })) };
  });
  const name = tree.columns.name[row] ?? "";
  return (
    <BulkQuestion
      verb="retry"
      chosen={{ jobs: jobs.slice(0, MOST_IDS) }}
      about={
        <>
          What did not complete in “{name}”: {count(failed)} failed, {count(cancelled)} cancelled
          {jobs.length > MOST_IDS && `, the first ${plural(MOST_IDS, "job")} only: do it again for the rest`}
        </>
      }
      onClose={onClose}
    />
  );
}
