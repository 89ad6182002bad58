/**
 * One request as its handler sees it, made from what came in and who sent it.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import type { ApiCaller } from "../../vault/service_tokens/caller.ts";
import type { MountRecord } from "../../vault/storage/identity_records.ts";
import { coerceFields, type Values } from "./fields.ts";
import type { Incoming } from "./incoming.ts";
import { HttpProblem } from "./problem.ts";
import type { ApiRequest, OperationName, Route } from "./route.ts";
import type { RouteMatch } from "./router.ts";

const NO_FIELDS = {};
const NONE: readonly string[] = [];
const FIELD_PROBLEM = "Field validation failed: ";

/** What a request is made of besides what came in. */
export interface RequestParts {
  readonly id: string;
  readonly mount: MountRecord;
  readonly match: RouteMatch;
  readonly operation: OperationName;
  readonly caller: ApiCaller | null;
  readonly hasSudo: boolean;
  readonly remoteAddress: string;
  readonly http: Request;
}

/** A request and the warnings that its handler added. */
export class HandledRequest implements ApiRequest {
  readonly id: string;
  readonly mount: MountRecord;
  readonly path: string;
  readonly route: string;
  readonly params: Readonly<Record<string, string>>;
  readonly operation: OperationName;
  readonly values: Values<Record<string, never>>;
  readonly maybeCaller: ApiCaller | null;
  readonly hasSudo: boolean;
  readonly remoteAddress: string;
  readonly bodyText: string;
  readonly sent: ReadonlyMap<string, unknown>;
  readonly warnings: string[] = [];
  readonly #http: Request;
  readonly #routed: Route;
  readonly #replaced: readonly string[];

  /** @throws {VaultError} `invalid_argument` for a field that can't be coerced. */
  constructor(incoming: Incoming, parts: RequestParts) {
    const { route, params } = parts.match;
    this.id = parts.id;
    this.mount = parts.mount;
    this.path = incoming.path;
    this.route = route.path;
    this.params = params;
    this.operation = parts.operation;
    this.maybeCaller = parts.caller;
    this.hasSudo = parts.hasSudo;
    this.remoteAddress = parts.remoteAddress;
    this.bodyText = incoming.bodyText;
    this.#http = parts.http;
    this.#routed = route;
    this.sent = withoutParams(incoming.fields, params);
    this.values = coerced(route, this.sent);
    this.#replaced = incoming.fields.size === 0
      ? NONE
      : [...incoming.fields.keys()].filter((name) => Object.hasOwn(params, name));
  }

  get caller(): ApiCaller {
    if (this.maybeCaller !== null) return this.maybeCaller;
    throw new VaultError("permission_denied", "permission denied");
  }

  get headers(): Headers {
    return this.#http.headers;
  }

  get signal(): AbortSignal {
    return this.#http.signal;
  }

  /** A property, so that handlers may take it out of the request. */
  readonly warn = (text: string): void => void this.warnings.push(text);

  /** Fields that did nothing; told only beside an answer that has something in it: clients tell 200 from 204. */
  warnOfIgnored(): void {
    if (this.sent.size === 0 && this.#replaced.length === 0) return;
    const fields = this.#routed.fields ?? NO_FIELDS;
    const unknown = this.#routed.keepsUnknown
      ? []
      : [...this.sent.keys()].filter((name) => !Object.hasOwn(fields, name));
    if (unknown.length > 0) this.warn(`Endpoint ignored these unrecognized parameters: [${unknown.sort().join(" ")}]`);
    this.#warnOfReplaced();
  }

  #warnOfReplaced(): void {
    if (this.#replaced.length === 0) return;
    const names = `[${this.#replaced.toSorted().join(" ")}]`;
    this.warn(
      `Endpoint replaced the value of these parameters with the values captured from the endpoint's path: ${names}`,
    );
  }
}

function coerced(route: Route, sent: ReadonlyMap<string, unknown>): Values<Record<string, never>> {
  try {
    return coerceFields(route.fields ?? NO_FIELDS, sent, route.fieldProblemPrefix ?? FIELD_PROBLEM);
  } catch (problem) {
    if (route.fieldProblemStatus === undefined || !(problem instanceof VaultError)) throw problem;
    throw new HttpProblem(route.fieldProblemStatus, [problem.message]);
  }
}

function withoutParams(
  fields: ReadonlyMap<string, unknown>,
  params: Readonly<Record<string, string>>,
): ReadonlyMap<string, unknown> {
  if (fields.size === 0) return fields;
  return new Map([...fields].filter(([name]) => !Object.hasOwn(params, name)));
}
