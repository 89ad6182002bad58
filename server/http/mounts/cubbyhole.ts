/**
 * `cubbyhole/`: what a token keeps for itself.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { Cubbyholes } from "../../../vault/service_tokens/cubbyholes.ts";
import { parseVerbatim } from "../json.ts";
import { type ApiAnswer, type ApiRequest, type Backend, type Route, route } from "../route.ts";

/** The backend. */
export function cubbyholeBackend(holes: Cubbyholes): Backend {
  return { type: "cubbyhole", section: "secret", description: "per-token storage", routes: cubbyholeRoutes(holes) };
}

function cubbyholeRoutes(holes: Cubbyholes): Route[] {
  return [
    route({
      path: "*rest.path",
      summary: "One entry of the caller's own cubbyhole.",
      read: ({ caller, params }) => {
        const json = holes.read(caller.tokenHash, params["path"]!);
        return json === undefined ? null : { data: parseVerbatim(json) as Record<string, unknown> };
      },
      list: ({ caller, params }) => keysOf(holes, caller.tokenHash, `${params["path"]!}/`),
      write: async (request) => {
        await holes.write(request.caller, request.params["path"]!, bodyOf(request));
        return null;
      },
      delete: async ({ caller, params }) => {
        await holes.delete(caller.tokenHash, params["path"]!);
        return null;
      },
    }),
    route({
      path: "",
      summary: "The entries of the caller's own cubbyhole.",
      list: ({ caller }) => keysOf(holes, caller.tokenHash, ""),
    }),
  ];
}

function keysOf(holes: Cubbyholes, tokenHash: string, prefix: string): ApiAnswer {
  const keys = holes.list(tokenHash, prefix);
  return keys.length === 0 ? null : { data: { keys } };
}

function bodyOf({ bodyText }: ApiRequest): string {
  const text = bodyText.trim();
  if (text.startsWith("{") && text !== "{}") return text;
  throw new VaultError("invalid_argument", "missing data fields");
}
