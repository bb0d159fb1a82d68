/** Who uses the page, and what they may do: nothing is offered that would be refused. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, data } from "./client";
import type { Schemas } from "./types";

export type Me = Schemas["Me"];
export type Scope = Schemas["Scope"];

export const me = queryOptions({
  queryKey: ["me"],
  queryFn: ({ signal }) => data(api.GET("/api/me", { signal })),
  staleTime: 10_000,
});

/** Log in with an API key: the browser gets a cookie, which no script can read. */
export const logIn = (key: string): Promise<Me> => data(api.POST("/api/session", { body: { key } }));

export const logOut = (): Promise<unknown> => data(api.DELETE("/api/session"));

/** Whether the caller may do what needs this scope. False until it is known. */
export function useMay(scope: Scope): boolean {
  return useQuery(me).data?.scopes.includes(scope) ?? false;
}

/** To which jobs somebody is limited, in words; null: to none. */
export function limitsOf({ job_types: types, tags }: Pick<Me, "job_types" | "tags">): string | null {
  const limits = [
    ...(types ? [`jobs of type ${types.join(", ")}`] : []),
    ...(tags ? [`${types ? "" : "jobs "}tagged ${tags.join(", ")}`] : []),
  ];
  return limits.length === 0 ? null : `only ${limits.join(", ")}`;
}

/** The role, or what stands in its place. */
export function roleOf({ role, scopes, is_anonymous: isAnonymous }: Me): string {
  if (isAnonymous) return "no key yet";
  return role ?? (scopes.length === 1 ? (scopes[0] ?? "") : `${scopes.length} scopes`);
}
