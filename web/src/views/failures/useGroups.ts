import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { failureGroups } from "@/api/queries";
import type { FailureGroup, FailuresQuery } from "@/api/types";
import { useLive } from "@/live/useLive";
import { arranged } from "./groups";

const FIRST = 100;
/** The most that one page of the API has. */
const MOST = 500;
/** A list of groups reads all that it shows: it is asked for less often than a job. */
const REST_MS = 2500;

/** The groups that match. Rows stay in their place; what is newer is counted until `showNewer` is called. */
export function useGroups(wanted: FailuresQuery) {
  const [most, setMost] = useState(FIRST);
  const { queryKey } = failureGroups(wanted, most);
  const query = useQuery(failureGroups(wanted, most));
  useLive([queryKey], { restMs: REST_MS });
  const key = JSON.stringify(queryKey);
  const [held, setHeld] = useState<{ key: string; groups: readonly FailureGroup[] }>({ key: "", groups: [] });
  const now = query.data?.groups;
  if (now !== undefined && held.key !== key) setHeld({ key, groups: now });
  return {
    ...arranged(held.key === key ? held.groups : [], now ?? []),
    query,
    isAll: query.data?.isAll ?? true,
    /** Null: no more can be shown. */
    showMore:
      most < MOST
        ? () => {
            setMost(MOST);
          }
        : null,
    showNewer: () => {
      if (now) setHeld({ key, groups: now });
    },
  };
}
