/**
 * What a route is, and what every handler may ask of its request. One list of routes is mounted by `app.ts`, so no
 * route can skip the guard, the limits or the answer to a wrong method.
 *
 * @module
 */

import type { Context } from "@hono/hono";
import { VaultError } from "../vault/errors.ts";
import { type BodyLimits, type FieldReader, type FieldsOf, readFields } from "./body.ts";
import type { AdminDoor } from "./guard.ts";
import type { AdminOperator } from "./operator.ts";
import type { OperatorScope } from "../vault/storage/records.ts";

/** What Hono carries along with a request. */
export interface AdminEnv {
  Bindings: { door: AdminDoor };
  Variables: {
    limits: BodyLimits;
    route: string;
    /** Who asks; absent on open routes. */
    operator: AdminOperator;
  };
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

/** Reads the body of a request within the limits of its route; see {@link readFields}. */
export function bodyOf<S extends Readonly<Record<string, FieldReader<unknown>>>>(
  context: AdminContext,
  shape: S,
): Promise<FieldsOf<S>> {
  return readFields(context.req.raw, context.get("limits"), shape);
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
