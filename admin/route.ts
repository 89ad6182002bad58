/**
 * What a route is, and what every handler may ask of its request. One list of routes is mounted by `app.ts`, so no
 * route can skip the guard, the limits or the answer to a wrong method.
 *
 * @module
 */

import type { Context } from "@hono/hono";
import type { AuditedRequest } from "../vault/audit/request.ts";
import { VaultError, type VaultErrorKind } from "../vault/errors.ts";
import { describeFields } from "./audited.ts";
import { type BodyLimits, type FieldReader, type FieldsOf, readFields } from "./body.ts";
import type { AdminDoor } from "./guard.ts";
import type { AdminOperator } from "./operator.ts";
import type { OperatorScope } from "../vault/storage/records.ts";

/** What Hono carries along with a request. */
export interface AdminEnv {
  Bindings: {
    door: AdminDoor;
    audited: AuditedRequest;
    ending: RequestEnding;
    /** What stands in the trail for a value that must not be read. */
    hashValue: (value: string) => string;
  };
  Variables: {
    limits: BodyLimits;
    route: string;
    /** Who asks; absent on open routes. */
    operator: AdminOperator;
  };
}

/** What the audit trail has to know of a request's end. */
export interface RequestEnding {
  /** The error that was answered. */
  failure?: VaultErrorKind;
  /** The identity API has taken it over, and records it. */
  isPassedOn?: true;
}

/** A request on its way through. */
export type AdminContext = Context<AdminEnv>;

/** One method of one path. */
export interface AdminRoute {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With `:parameters`; this template is what logs show in place of the path. */
  readonly path: string;
  /** Answers without a token, over TCP too. */
  readonly open?: true;
  /** The scope that an operator must have; absent: `read` for GET, else `all`. */
  readonly needs?: OperatorScope;
  /** The largest body; 1 MiB where absent. */
  readonly maxBodyBytes?: number;
  handle(context: AdminContext): Response | Promise<Response>;
}

/** Fields of bodies that the audit trail shows: names, and nothing that could be a secret. */
const SHOWN_FIELDS = ["user", "role", "name", "scope", "reason", "version", "key_id"];

/** Reads the body of a request within the limits of its route; see {@link readFields}. */
export async function bodyOf<S extends Readonly<Record<string, FieldReader<unknown>>>>(
  context: AdminContext,
  shape: S,
): Promise<FieldsOf<S>> {
  const fields = await readFields(context.req.raw, context.get("limits"), shape);
  const shown = Object.entries(fields).filter(([name, value]) => SHOWN_FIELDS.includes(name) && value !== undefined);
  if (shown.length > 0) describeFields(context.env, Object.fromEntries(shown));
  return fields;
}

/**
 * The name that a path addresses. Clients resolve the segments `.` and `..` and drop an empty one before they send,
 * so a user whom an old file gave such a name is addressed as `/tokens/-?name=..`.
 *
 * @throws {VaultError} `invalid_argument` when the path names somebody and the query somebody else.
 */
export function nameIn(context: AdminContext, parameter: string): string {
  const segment = context.req.param(parameter) ?? "";
  const given = context.req.query("name");
  if (given === undefined) return segment;
  if (segment === "-") return given;
  throw new VaultError("invalid_argument", "The name is given twice", { hint: "put - in the path to use ?name=" });
}

/**
 * The page of a list that was asked for with `?after=NAME&limit=N`; without them, everything.
 *
 * @throws {VaultError} `invalid_argument` for a limit that is not a whole number above 0.
 */
export function pageIn(context: AdminContext): { after?: string; limit?: number } {
  const after = context.req.query("after");
  const limit = context.req.query("limit");
  if (limit !== undefined && !/^[1-9][0-9]{0,8}$/.test(limit)) {
    throw new VaultError("invalid_argument", "The limit must be a whole number above 0");
  }
  return {
    ...(after === undefined ? {} : { after }),
    ...(limit === undefined ? {} : { limit: Number(limit) }),
  };
}
