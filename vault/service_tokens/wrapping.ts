/**
 * Response wrapping: an answer that is fetched once, by whoever holds the token that stands for it.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { ServiceTokenRecord } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";
import type { ApiCaller } from "./caller.ts";
import type { Cubbyholes } from "./cubbyholes.ts";
import { type MintSpec, ownerOfCaller } from "./minting.ts";
import type { ServiceTokens, ServiceTokenSurroundings } from "./service_tokens.ts";

/** Where in its cubbyhole a wrapping token keeps the answer. */
const RESPONSE = "response";
/** The policy of wrapping tokens: to be unwrapped is all that they can. */
const WRAPPING_POLICY = "response-wrapping";
const MAX_TTL = 2_764_800;

/** An answer to be wrapped. */
export interface ToWrap {
  /** The body, exactly as it would have been sent. */
  readonly body: string;
  readonly ttlSeconds: number;
  /** The path of the request. */
  readonly path: string;
  readonly caller: ApiCaller | null;
  readonly wrappedAccessor: string | undefined;
}

/** A wrapping token just made, as `wrap_info` tells it but for its times. */
export interface Wrapped {
  readonly token: string;
  readonly accessor: string;
  readonly ttl: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly path: string;
  readonly wrappedAccessor: string | undefined;
}

/** Wraps and unwraps. */
export class Wrapping {
  readonly #in: ServiceTokenSurroundings;
  readonly #tokens: ServiceTokens;
  readonly #holes: Cubbyholes;

  constructor(surroundings: ServiceTokenSurroundings, tokens: ServiceTokens, holes: Cubbyholes) {
    this.#in = surroundings;
    this.#tokens = tokens;
    this.#holes = holes;
  }

  /** Keeps an answer under a new wrapping token. */
  wrap(toWrap: ToWrap): Promise<Wrapped> {
    return this.#in.writer.change(() => {
      if (toWrap.caller !== null && !toWrap.caller.isLastUse) this.#tokens.assertStillLive(toWrap.caller);
      const { writes, wrapped } = this.#plan(toWrap);
      return { writes, result: () => wrapped };
    });
  }

  /**
   * Gives the answer back, once.
   *
   * @param token The wrapping token; undefined: the caller's own is meant.
   * @throws {VaultError} `invalid_argument` for one that was unwrapped, has expired or is none.
   */
  unwrap(token: string | undefined, caller: ApiCaller): Promise<string> {
    return this.#in.writer.change(() => {
      const record = token === undefined ? caller.token : this.#liveWrapping(token);
      const body = record?.type === "wrapping" ? this.#holes.read(record.hash, RESPONSE) : undefined;
      if (body === undefined) throw notWrapping();
      return { writes: this.#tokens.endings.planEnd([record!]), result: () => body };
    });
  }

  /** What may be told of a wrapping token without unwrapping it. */
  lookup(token: string): ServiceTokenRecord {
    const record = this.#liveWrapping(token);
    if (record === undefined) throw notWrapping();
    return record;
  }

  /**
   * Puts the same answer under a new token; the old one ends. The new one ends with whoever had the answer wrapped first,
   * as the old one did; it gives whoever asks for it nothing that unwrapping wouldn't.
   */
  rewrap(token: string, caller: ApiCaller): Promise<Wrapped> {
    return this.#in.writer.change(() => {
      const record = this.#liveWrapping(token);
      const body = record === undefined ? undefined : this.#holes.read(record.hash, RESPONSE);
      if (record === undefined || body === undefined) throw notWrapping();
      const { creator, evtAgentId, wrappedPath, wrappedAccessor } = record;
      const ended = this.#tokens.endings.planEnd([record]);
      const descent = {
        ...(creator === undefined ? {} : { creator }),
        ...(evtAgentId === undefined ? {} : { evtAgentId }),
      };
      const again = { body, ttlSeconds: record.creationTtl, path: wrappedPath ?? record.path, caller, wrappedAccessor };
      const { writes, wrapped } = this.#plan(again, creator ?? evtAgentId ? descent : undefined);
      return { writes: [...ended, ...writes], result: () => wrapped };
    });
  }

  #plan(
    { body, ttlSeconds, path, caller, wrappedAccessor }: ToWrap,
    descent?: MintSpec["descent"],
  ): { writes: Write[]; wrapped: Wrapped } {
    const { token, record, writes } = this.#tokens.planMint({
      type: "wrapping",
      policies: [WRAPPING_POLICY],
      path,
      mountAccessor: this.#in.mounts.byPath("auth", "token/")?.accessor ?? "",
      displayName: "",
      meta: null,
      entity: null,
      parent: caller,
      isOrphan: true,
      lifetime: { ttl: ttlSeconds, explicitMaxTtl: 0, period: 0, defaultTtl: MAX_TTL, maxTtl: MAX_TTL },
      renewable: false,
      numUses: 1,
      boundCidrs: [],
      wrappedPath: path,
      ...(wrappedAccessor === undefined ? {} : { wrappedAccessor }),
      ...(descent === undefined ? {} : { descent }),
    });
    const owner = descent?.creator?.entityId ?? (caller === null ? "" : ownerOfCaller(caller));
    const hole = this.#holes.planWrite(record.hash, owner, RESPONSE, body);
    const { accessor, ttl, createdAt } = record;
    return { writes: [...writes, hole], wrapped: { token, accessor, ttl, createdAt, path, wrappedAccessor } };
  }

  #liveWrapping(token: string): ServiceTokenRecord | undefined {
    const record = this.#tokens.find(token);
    return record?.type === "wrapping" && this.#tokens.isLive(record) ? record : undefined;
  }
}

function notWrapping(): VaultError {
  return new VaultError("invalid_argument", "wrapping token is not valid or does not exist");
}
