/**
 * What an operation of the identity API is. A mount's backend is a list of routes; from it come the routing, the answers
 * 404 and 405, the capabilities that policies must grant, `?help=1`, and the OpenAPI document.
 *
 * @module
 */

import type { MountRecord } from "../../vault/storage/identity_records.ts";
import type { ApiCaller } from "../../vault/service_tokens/caller.ts";
import type { Fields, Values } from "./fields.ts";

/** What is done to a path. `create` and `update` differ in nothing but the capability that they need. */
export type OperationName = "create" | "read" | "update" | "patch" | "delete" | "list";

/** One request as its handler sees it. */
export interface ApiRequest<F extends Fields = Fields> {
  readonly id: string;
  readonly mount: MountRecord;
  /** Without `/v1/` and percent-decoded; a list's ends in `/`. */
  readonly path: string;
  /** The path of the route that was matched. */
  readonly route: string;
  /** What stands in the place of the route's `:names`. */
  readonly params: Readonly<Record<string, string>>;
  readonly operation: OperationName;
  /** The fields that were sent, coerced. A field that is absent or null isn't there. */
  readonly values: Values<F>;
  /** The fields as they were sent, nulls and unknown ones too: for what a route keeps as it is. */
  readonly sent: ReadonlyMap<string, unknown>;
  /** Throws `permission_denied` inside on open routes, which have no caller. */
  readonly caller: ApiCaller;
  /** The caller, where there is one: open routes look at nobody's token. */
  readonly maybeCaller: ApiCaller | null;
  /** Whether the caller's policies grant `sudo` on this path. */
  readonly hasSudo: boolean;
  /** Address of the peer, without its port. */
  readonly remoteAddress: string;
  readonly headers: Headers;
  /** The body exactly as it came, for forms (RFC 6749). */
  readonly bodyText: string;
  readonly signal: AbortSignal;
  /** Adds a line to the answer's `warnings`. */
  readonly warn: (text: string) => void;
}

/** A user whom a path names. */
export interface NamedUser {
  readonly name: string;
  /** Absent: nobody has logged in by this name yet. */
  readonly entityId?: string | undefined;
}

/** The `auth` block of an answer. */
export interface AuthBlock {
  readonly client_token: string;
  readonly accessor: string;
  readonly policies: readonly string[];
  readonly token_policies: readonly string[];
  readonly identity_policies?: readonly string[];
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly lease_duration: number;
  readonly renewable: boolean;
  readonly entity_id: string;
  readonly token_type: string;
  readonly orphan: boolean;
  readonly mfa_requirement: null;
  readonly num_uses: number;
}

/** The lease of an answer's secret. */
export interface LeaseBlock {
  readonly id: string;
  readonly renewable: boolean;
  /** Seconds. */
  readonly duration: number;
  /** Whether it was made for this answer: then it ends where the answer can't leave. */
  readonly isNew?: boolean;
}

/** An answer in the envelope. */
export interface EnvelopeAnswer {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly auth?: AuthBlock;
  readonly lease?: LeaseBlock;
  /** Copies the members of `data` beside the envelope too, as old `sys` routes do. */
  readonly isDuplicated?: boolean;
  /** 200 where absent; 202 for what is queued. */
  readonly status?: number;
}

/** An answer without the envelope. */
export interface RawAnswer {
  readonly raw: string | Readonly<Record<string, unknown>> | null;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a handler answers; null is "nothing": 404 for a read or list, 204 for the rest (200 where there are warnings). */
export type ApiAnswer = EnvelopeAnswer | RawAnswer | null;

/** Handles one operation of a path. */
export type Handler<F extends Fields = Fields> = (request: ApiRequest<F>) => ApiAnswer | Promise<ApiAnswer>;

/** One path of a backend with its operations. */
export interface Route<F extends Fields = Fields> {
  /**
   * Relative to the mount. `:name` is a generic name (word characters at both ends, inside also `-` and `.`);
   * `:email` takes `@` and `+` too; `:segment` takes anything without a slash; `*rest` takes anything, slashes too.
   * A segment's kind stands before its name: `:name.role`, `:email.username`, `*rest.prefix`;
   * alone it is its own name.
   */
  readonly path: string;
  /** One sentence for `?help=1` and OpenAPI. */
  readonly summary: string;
  readonly fields?: F;
  /** Answers without a token. */
  readonly isOpen?: true;
  /** Needs `sudo` besides the operation's capability. */
  readonly needsSudo?: true;
  /** A write to an object that isn't there needs `create`; without this every write is an update. */
  readonly exists?: (params: Readonly<Record<string, string>>, mount: MountRecord) => boolean;
  /**
   * The parameters as the objects are stored, where other spellings mean the same object. Policies must allow the path in
   * this spelling too, or a denial of `…/boss` would leave `…/BOSS` open.
   */
  readonly stored?: (params: Readonly<Record<string, string>>, mount: MountRecord) => Readonly<Record<string, string>>;
  /** Where the path names somebody who logs in: who that is. Names of nobody aren't written down. */
  readonly userNamed?: (params: Readonly<Record<string, string>>, mount: MountRecord) => NamedUser | undefined;
  /** Put before messages of fields that can't be coerced; `Field validation failed: ` where absent. */
  readonly fieldProblemPrefix?: string;
  /** The status of such a message; 400 where absent. */
  readonly fieldProblemStatus?: number;
  /** Keeps fields that it doesn't know, so that nobody is told that they were ignored. */
  readonly keepsUnknown?: true;
  readonly read?: Handler<F>;
  readonly list?: Handler<F>;
  /** Creates and updates: POST and PUT alike. */
  readonly write?: Handler<F>;
  readonly patch?: Handler<F>;
  readonly delete?: Handler<F>;
}

/** All routes of mounts of one type. */
export interface Backend {
  readonly type: string;
  readonly section: "secret" | "auth";
  readonly description: string;
  readonly routes: readonly Route[];
}

/** Declares a route, with the types of its fields known to its handlers. */
export function route<F extends Fields>(declared: Route<F>): Route {
  return declared as unknown as Route;
}
