import { useQuery } from "@tanstack/react-query";
import { needyFailures } from "@/api/queries";
import { count } from "@/format/format";
import { useLive } from "@/live/useLive";

/** How many groups of failures are new or have regressed, in the menu; nothing if none is. */
export function FailuresCount() {
  const { data } = useQuery(needyFailures);
  useLive([needyFailures.queryKey], { on: "clock", beats: 2 });
  if (!data || data.groups.length === 0) return null;
  const fresh = data.groups.filter(({ state }) => state === "new").length;
  const regressed = data.groups.length - fresh;
  const more = data.next_cursor === null ? "" : "+";
  const what = [fresh > 0 ? `${count(fresh)} new` : "", regressed > 0 ? `${count(regressed)} regressed` : ""];
  return (
    <span className="c hot" title={`${what.filter(Boolean).join(", ")}, seen within a day`}>
      {count(data.groups.length)}
      {more} {fresh > 0 ? "new" : "regressed"}
    </span>
  );
}
