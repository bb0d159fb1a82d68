import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { audit, type AuditEntry } from "@/api/admin";
import { useLive } from "@/live/useLive";
import { arranged } from "./entries";
import { type AuditSearch, wantedOf } from "./search";

/** A page of the audit. Rows stay in their place; what is newer is counted until `showNewer` is called. */
export function useAudit(search: AuditSearch) {
  const { wanted, sinceMs } = wantedOf(search);
  const { queryKey } = audit(wanted, sinceMs);
  const query = useQuery(audit(wanted, sinceMs));
  useLive([queryKey], { on: "clock" }); // no stream tells of the audit
  const key = JSON.stringify(queryKey);
  const [held, setHeld] = useState<{ key: string; entries: readonly AuditEntry[] }>({ key: "", entries: [] });
  const now = query.data?.entries;
  if (now !== undefined && held.key !== key) setHeld({ key, entries: now });
  return {
    ...arranged(held.key === key ? held.entries : [], now ?? []),
    query,
    next: query.data?.next ?? null,
    cutBefore: query.data?.cutBefore ?? null,
    showNewer: () => {
      if (now) setHeld({ key, entries: now });
    },
  };
}
