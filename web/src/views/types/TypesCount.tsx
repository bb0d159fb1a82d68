import { useQuery } from "@tanstack/react-query";
import { jobTypes } from "@/api/queries";
import { count } from "@/format/format";

/** How many job types workers have announced, in the menu. */
export function TypesCount() {
  const { data } = useQuery(jobTypes);
  return (
    data && (
      <span className="c" title={`${count(data.length)} types that workers announce`}>
        {count(data.length)}
      </span>
    )
  );
}
