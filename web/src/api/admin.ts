/** What admins ask the API for, and ask it to do: the audit, API keys. */
import { queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";
import type { paths } from "./schema";
import type { Schemas } from "./types";

export type AuditEntry = Schemas["AuditEntry"];
export type AuditQuery = NonNullable<NonNullable<paths["/api/audit"]["get"]["parameters"]["query"]>>;

/** How many entries of the audit a page has. */
export const AUDIT_PAGE = 100;
const MOST_PAGES = 5;

/** A page of the audit. With a filter, pages of the API may be short: it goes on, up to a bound. */
export const audit = (wanted: AuditQuery, sinceMs: number | null) =>
  queryOptions({
    queryKey: ["audit", wanted, sinceMs],
    queryFn: async ({ signal }) => {
      const since = sinceMs === null ? wanted.since : new Date(Date.now() - sinceMs).toISOString();
      const entries: AuditEntry[] = [];
      let cursor = wanted.cursor ?? null;
      let cutBefore: string | null = null;
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const query: AuditQuery = { ...wanted, since, page_size: AUDIT_PAGE - entries.length, cursor };
        const found: Schemas["AuditPage"] = await data(api.GET("/api/audit", { params: { query }, signal }));
        entries.push(...found.entries);
        cutBefore = found.cut_before;
        cursor = found.next_cursor;
        if (cursor === null || entries.length >= AUDIT_PAGE) break;
      }
      return { entries, next: cursor, cutBefore };
    },
  });

export type ApiKey = Schemas["ApiKey"];
export type IssuedKey = Schemas["IssuedKey"];

const ofKey = (id: string) => ({ path: { key_id: id } });

/** All API keys, the oldest first, without their secrets. */
export const apiKeys = queryOptions({
  queryKey: ["keys"],
  queryFn: ({ signal }) => data(api.GET("/api/keys", { signal })),
});

/** Create a key. The answer has its secret, which can't be shown again. */
export const createKey = (body: Schemas["KeyCreate"]): Promise<IssuedKey> =>
  data(api.POST("/api/keys", { body }));

/** Give a key a new secret; the older ones are accepted for so many seconds. */
export const rotateKey = (id: string, overlapS: number): Promise<IssuedKey> =>
  data(api.POST("/api/keys/{key_id}/rotate", { params: ofKey(id), body: { overlap_s: overlapS } }));

export const revokeKey = (id: string): Promise<ApiKey> =>
  data(api.DELETE("/api/keys/{key_id}", { params: ofKey(id) }));
