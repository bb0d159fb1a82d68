import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { me } from "@/api/session";
import { useWhyOut } from "@/live/session";
import { useLive } from "@/live/useLive";

interface Session {
  /** Why nobody is let in; null: somebody is. */
  readonly whyOut: string | null;
  /** Whether the caller is known, or that nobody says. */
  readonly isKnown: boolean;
  /** Whether somebody was let in before: their view stays behind the login. */
  readonly wasIn: boolean;
}

/** Asked again each minute: roles may change. */
const BEATS = 12;

/** Who is in front of the page. What was read for somebody else is not shown to them. */
export function useSession(): Session {
  const queries = useQueryClient();
  const whyOut = useWhyOut();
  const { data, isPending } = useQuery(me);
  useLive([me.queryKey], { on: "clock", beats: BEATS });
  const who = data && JSON.stringify([data.name, data.key_id, data.scopes, data.job_types, data.tags]);
  const shownTo = useRef(who);
  const isOut = whyOut !== null;
  const wasOut = useRef(isOut);
  useEffect(() => {
    const others = {
      predicate: ({ queryKey }: { queryKey: readonly unknown[] }) => queryKey[0] !== me.queryKey[0],
    };
    const isOther = who !== undefined && shownTo.current !== undefined && shownTo.current !== who;
    if (isOther) void queries.resetQueries(others);
    else if (wasOut.current && !isOut) void queries.invalidateQueries(others);
    shownTo.current = who ?? shownTo.current;
    wasOut.current = isOut;
  }, [queries, who, isOut]);
  return { whyOut, isKnown: !isPending, wasIn: data !== undefined };
}
