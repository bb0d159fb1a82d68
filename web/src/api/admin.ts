/** What admins ask the API for, and ask it to do: the audit, API keys, webhooks. */
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

export type Webhook = Schemas["Webhook"];
export type WebhookCreated = Schemas["WebhookCreated"];
export type WebhookWanted = Schemas["WebhookWanted"];
export type Delivery = Schemas["Delivery"];

const ofWebhook = (id: string) => ({ path: { webhook_id: id } });

/** All webhooks, and how they do. */
export const webhooks = queryOptions({
  queryKey: ["webhooks"],
  queryFn: ({ signal }) => data(api.GET("/api/webhooks", { signal })),
});

const DELIVERIES = 50;

/** A page of what is to be sent to a webhook, and then of what was sent. */
export const deliveries = (id: string, cursor: string | undefined) =>
  queryOptions({
    queryKey: ["webhooks", id, "deliveries", cursor ?? null],
    queryFn: ({ signal }) =>
      data(
        api.GET("/api/webhooks/{webhook_id}/deliveries", {
          params: { ...ofWebhook(id), query: { page_size: DELIVERIES, cursor } },
          signal,
        }),
      ),
  });

/** Create a webhook. The answer has its secret, which can't be shown again. */
export const createWebhook = (body: WebhookWanted): Promise<WebhookCreated> =>
  data(api.POST("/api/webhooks", { body }));

/** Change a webhook, as a whole. */
export const updateWebhook = (id: string, body: WebhookWanted): Promise<Webhook> =>
  data(api.PUT("/api/webhooks/{webhook_id}", { params: ofWebhook(id), body }));

/** Give it a new secret; for so many seconds messages are signed with the old one too. */
export const rotateWebhook = (id: string, keepOldS: number): Promise<WebhookCreated> =>
  data(
    api.POST("/api/webhooks/{webhook_id}/rotate", { params: ofWebhook(id), body: { keep_old_s: keepOldS } }),
  );

export const deleteWebhook = (id: string): Promise<unknown> =>
  data(api.DELETE("/api/webhooks/{webhook_id}", { params: ofWebhook(id) }));

export const testWebhook = (id: string): Promise<Delivery> =>
  data(api.POST("/api/webhooks/{webhook_id}/test", { params: ofWebhook(id) }));

export const redeliver = (id: string, delivery: string): Promise<Delivery> =>
  data(
    api.POST("/api/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", {
      params: { path: { webhook_id: id, delivery_id: delivery } },
    }),
  );
