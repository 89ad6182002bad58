/**
 * `identity/oidc/revoked`: the feed of revocations, open like the public keys: it names nobody but by ids that only whoever
 * has a token of theirs can tell.
 *
 * @module
 */

import type { FeedText, RevocationFeed } from "../../../vault/oidc/revocation_feed.ts";
import { duration } from "../fields.ts";
import { type ApiAnswer, type ApiRequest, type Route, route } from "../route.ts";

/** Seconds; proxies cut connections that are silent for longer. */
const LONGEST_WAIT = 60;
/** Seconds after which whoever found no place to wait may ask again. */
const RETRY_AFTER = 5;
const FIELDS = { wait: duration("how long to wait for a change, 60s at most; only with If-None-Match") };

/** The route. */
export function oidcRevokedRoutes(feed: RevocationFeed): Route[] {
  return [
    route({
      path: "oidc/revoked",
      summary: "Identity tokens that count no more although they haven't expired.",
      isOpen: true,
      fields: FIELDS,
      read: (request) => read(feed, request),
    }),
  ];
}

async function read(feed: RevocationFeed, request: ApiRequest<typeof FIELDS>): Promise<ApiAnswer> {
  const { values, headers, remoteAddress, signal } = request;
  const known = (headers.get("if-none-match") ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  const isKnown = ({ version }: FeedText) => known.includes(`"${version}"`);
  const wait = Math.min(values.wait ?? 0, LONGEST_WAIT);
  const before = feed.current;
  if (!isKnown(before) || wait === 0) return answerOf(before, isKnown(before), {});
  const waited = await feed.changed(before.version, wait * 1000, remoteAddress, signal);
  const now = feed.current;
  return answerOf(now, isKnown(now), waited ? {} : { "retry-after": String(RETRY_AFTER) });
}

function answerOf({ version, text }: FeedText, isKnown: boolean, more: Readonly<Record<string, string>>): ApiAnswer {
  const headers = {
    etag: `"${version}"`,
    "cache-control": "no-cache",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "etag",
    ...more,
  };
  return isKnown ? { raw: null, status: 304, headers } : { raw: text, headers };
}
