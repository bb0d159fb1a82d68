import { useState } from "react";
import type { JobSummary } from "@/api/types";
import type { Verb } from "./bulk";
import { BulkPreview } from "./BulkDialog";
import { useMatching } from "./useMatching";

interface BulkQuestionProps {
  verb: Verb;
  /** The jobs that are selected; not of use with a filter. */
  jobs: readonly JobSummary[];
  /** The filter, if it is for all that match. */
  q: string | null;
  onClose: () => void;
  onStarted: () => void;
}

/** Asks before an action on many jobs. The jobs stay those of the moment in which somebody asked. */
export function BulkQuestion({ jobs, q, ...rest }: BulkQuestionProps) {
  const [selected] = useState(jobs);
  const found = useMatching(q);
  const matching = q === null ? { ...found, jobs: selected, isDone: true } : found;
  return <BulkPreview {...rest} q={q} matching={matching} />;
}
