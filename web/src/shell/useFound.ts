/** The jobs and types that the palette offers. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, data } from "@/api/client";
import { job, jobTypes, stats } from "@/api/queries";
import type { JobSummary } from "@/api/types";
import { idIn } from "./find";

/** So many jobs are offered; the list has all. */
export const MOST_JOBS = 5;
/** Fewer letters would find nearly everything. */
const LEAST_LETTERS = 2;
/** So long nobody types before the API is asked. */
const PAUSE_MS = 150;

/** All types that there are: those that workers announce, and those of stored jobs. */
export function useTypeNames(): readonly string[] {
  const announced = useQuery(jobTypes).data?.map(({ name }) => name) ?? [];
  return [...announced, ...Object.keys(useQuery(stats).data?.by_type ?? {})];
}

const named = (text: string) =>
  queryOptions({
    queryKey: ["jobs", "find", text],
    queryFn: async ({ signal }) =>
      (
        await data(
          api.GET("/api/jobs/", { params: { query: { name: [text], page_size: MOST_JOBS } }, signal }),
        )
      ).jobs,
  });

interface Found {
  readonly jobs: readonly JobSummary[];
  readonly isLooking: boolean;
}

/** The job of an id, or the latest jobs with these letters in their names. */
export function useFoundJobs(text: string): Found {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = window.setTimeout(() => {
      setSettled(text);
    }, PAUSE_MS);
    return () => {
      window.clearTimeout(timer);
    };
  }, [text]);
  const id = idIn(settled);
  const hasLetters = settled.length >= LEAST_LETTERS;
  const one = useQuery({ ...job(id ?? ""), enabled: id !== null, retry: false });
  const some = useQuery({ ...named(settled), enabled: id === null && hasLetters });
  const jobs = id !== null ? (one.data ? [one.data] : []) : hasLetters ? (some.data ?? []) : [];
  return {
    jobs: text === settled ? jobs : [],
    isLooking: text !== settled || one.isFetching || some.isFetching,
  };
}
