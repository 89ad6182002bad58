/**
 * `sys/wrapping`: answers that are fetched once.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { Wrapped, Wrapping } from "../../../vault/service_tokens/wrapping.ts";
import type { WrapInfo } from "../api_parts.ts";
import { text } from "../fields.ts";
import { parseVerbatim } from "../json.ts";
import { HttpProblem } from "../problem.ts";
import { type ApiAnswer, type Route, route } from "../route.ts";
import { rfc3339 } from "../timestamps.ts";

const TOKEN = { token: text("the wrapping token") };

/** The routes. */
export function sysWrappingRoutes(wrapping: Wrapping): Route[] {
  return [
    route({
      path: "wrapping/wrap",
      summary: "Wraps what is sent; X-Vault-Wrap-TTL says for how long.",
      write: ({ headers, bodyText }) => {
        if (!headers.get("x-vault-wrap-ttl")) {
          throw new VaultError("invalid_argument", "endpoint requires response wrapping to be used", {
            hint: "send the header X-Vault-Wrap-TTL",
          });
        }
        return { data: objectOf(bodyText), isDuplicated: true };
      },
    }),
    route({
      path: "wrapping/unwrap",
      summary: "Gives a wrapped answer back, once.",
      fields: TOKEN,
      write: async ({ values, caller }) => rawOf(await wrapping.unwrap(values.token || undefined, caller)),
    }),
    route({
      path: "wrapping/lookup",
      summary: "What may be told of a wrapping token.",
      isOpen: true,
      fields: TOKEN,
      read: ({ headers }) => lookup(wrapping, headers.get("x-vault-token") ?? ""),
      write: ({ values, headers }) => lookup(wrapping, values.token || headers.get("x-vault-token") || ""),
    }),
    route({
      path: "wrapping/rewrap",
      summary: "Puts a wrapped answer under a new token.",
      fields: TOKEN,
      write: async ({ values, caller }) => {
        const rewrapped = await wrapping.rewrap(values.token ?? "", caller);
        return { raw: { request_id: "", data: null, auth: null, warnings: null, wrap_info: wrapInfoOf(rewrapped) } };
      },
    }),
  ];
}

/** `wrap_info` as clients read it. */
export function wrapInfoOf({ token, accessor, ttl, createdAt, path, wrappedAccessor }: Wrapped): WrapInfo {
  return {
    token,
    accessor,
    ttl,
    creation_time: rfc3339(createdAt),
    creation_path: path,
    ...(wrappedAccessor === undefined ? {} : { wrapped_accessor: wrappedAccessor }),
  };
}

function lookup(wrapping: Wrapping, token: string): ApiAnswer {
  const record = wrapping.lookup(token);
  const { creationTtl: creation_ttl, createdAt, wrappedPath } = record;
  return { data: { creation_time: rfc3339(createdAt), creation_ttl, creation_path: wrappedPath ?? record.path } };
}

function rawOf(body: string): ApiAnswer {
  return { raw: body };
}

/** What is wrapped is given back as it came, so it is read as plain JSON. */
function objectOf(text: string): Record<string, unknown> {
  if (text.trim() === "" || text.trim() === "null") return {};
  const value = parseVerbatim(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new HttpProblem(400, ["the body must be an object"]);
}
