/**
 * Identity tokens: signed statements of who somebody is (OpenID Connect Core §2), for services that this vault doesn't
 * know.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createPublicKey, type KeyObject } from "node:crypto";
import { VaultError } from "../errors.ts";
import type { Identity } from "../identity/identity.ts";
import { newUuid } from "../ids.ts";
import type { MountTable } from "../mounts/mount_table.ts";
import type { ApiCaller } from "../service_tokens/caller.ts";
import type { ServiceTokens } from "../service_tokens/service_tokens.ts";
import type { User } from "../state.ts";
import type { Json, OidcKeyPair, OidcKeyRecord, OidcRoleRecord } from "../storage/identity_records.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import { verifies } from "./algorithms.ts";
import { requestedClaims, templateClaims } from "./claims.ts";
import type { OidcKeys } from "./oidc_keys.ts";
import type { OidcRoles } from "./oidc_roles.ts";
import type { Revocations } from "./revocations.ts";
import { hasLiveSession, sessionIdOf } from "./session_ids.ts";
import type { ClaimSubject } from "./template.ts";

/** Longer ones are none of ours. */
const MAX_TOKEN_LENGTH = 65_536;

/** What issuing needs. */
export interface IdentityTokenSurroundings extends Surroundings {
  readonly identity: Identity;
  readonly mounts: MountTable;
  readonly tokens: ServiceTokens;
  readonly keys: OidcKeys;
  readonly roles: OidcRoles;
  readonly revocations: Revocations;
  /** The issuer of tokens made now: `<base>/v1/identity/oidc`. */
  issuer(): string;
}

/** A token just signed. */
export interface IssuedIdentityToken {
  readonly token: string;
  readonly clientId: string;
  /** Seconds. */
  readonly ttl: number;
}

/** Whether a token says the truth now, and why not. */
export type Introspection = { readonly active: true } | { readonly active: false; readonly error: string };

/** Issues and checks identity tokens. */
export class IdentityTokens {
  readonly #in: IdentityTokenSurroundings;
  readonly #publicKeys = new WeakMap<OidcKeyPair, KeyObject>();

  constructor(surroundings: IdentityTokenSurroundings) {
    this.#in = surroundings;
  }

  /**
   * Signs a token for the caller's own entity.
   *
   * @param claims Claims that the role lets callers set.
   * @throws {VaultError} `invalid_argument` for an unknown role, a key that doesn't serve it, a caller without an entity.
   */
  async issue(
    caller: ApiCaller,
    roleName: string,
    claims: Readonly<Record<string, Json>> = {},
  ): Promise<IssuedIdentityToken> {
    const role = this.#in.roles.get(roleName);
    if (role === undefined) throw noSuchRole(roleName);
    const key = await this.#in.keys.needed(role.key);
    if (key === undefined) throw new VaultError("invalid_argument", `key ${JSON.stringify(role.key)} not found`);
    assertServes(key, role);
    if (caller.entity === null) {
      throw new VaultError("invalid_argument", "no entity associated with the request's token", {
        hint: "log in as a user: root and plain created tokens are nobody",
      });
    }
    const payload = this.#payload(
      caller.entity,
      caller.accessor,
      role,
      key,
      requestedClaims(claims, role.requestClaims),
    );
    const token = await this.sign(key, payload);
    // Signing takes a while: what was revoked meanwhile gets no token.
    this.#in.tokens.assertStillLive(caller);
    return { token, clientId: role.clientId, ttl: role.ttl };
  }

  /** What a token of a role would say of an entity; nothing is signed. */
  async preview(user: User, roleName: string): Promise<Record<string, Json>> {
    const role = this.#in.roles.get(roleName);
    if (role === undefined) throw noSuchRole(roleName);
    const key = await this.#in.keys.needed(role.key);
    if (key === undefined) throw new VaultError("invalid_argument", `key ${JSON.stringify(role.key)} not found`);
    return this.#payload(user, "preview", role, key, {});
  }

  /** A signed JWT (RFC 7519) in the compact form of RFC 7515 §7.1, of whose session the feed of revocations will tell. */
  async sign(key: OidcKeyRecord, payload: Readonly<Record<string, Json>>): Promise<string> {
    this.#in.revocations.noteMinted(String(payload["sid"]), Number(payload["exp"]));
    return await (await this.#in.keys.signer(key)).sign(payload);
  }

  /**
   * Whether a token is one of ours and what it says still holds (RFC 7662 in spirit).
   *
   * @param clientId The audience that it must have; absent: any.
   */
  introspect(token: string, clientId: string | undefined): Introspection {
    const verified = this.verified(token);
    if (typeof verified === "string") return inactive(verified);
    const { iss, sub, aud, exp, ep, sid } = verified;
    if (typeof exp !== "number" || exp * 1000 <= this.#in.clock.now()) return inactive("the token has expired");
    if (iss !== this.#in.issuer()) return inactive("the token has another issuer");
    if (clientId !== undefined && aud !== clientId) return inactive("the token is for another client");
    return this.#standing(String(sub), ep, String(sid));
  }

  /** The payload of a token with a good signature of a key that verifies now; else what is wrong with it. */
  verified(token: string): Readonly<Record<string, Json>> | string {
    if (token.length > MAX_TOKEN_LENGTH) return "the token is malformed";
    const [head, body, signature, ...more] = token.split(".");
    const header = head === undefined ? undefined : decoded(head);
    const payload = body === undefined ? undefined : decoded(body);
    if (header === undefined || payload === undefined || !signature || more.length > 0) return "the token is malformed";
    const found = this.#in.keys.findPair(String(header["kid"]));
    // The algorithm is the key's, never the token's: `none` and a public key used as a secret end here.
    if (found === undefined || header["alg"] !== found.record.algorithm) return "unknown key";
    const input = Buffer.from(`${head}.${body}`, "ascii");
    const bytes = Buffer.from(signature, "base64url");
    // The decoder is lenient; a second spelling of one token would pass by whoever lists the first as refused.
    if (bytes.toString("base64url") !== signature) return "the token is malformed";
    const isGood = verifies(found.record.algorithm, this.#publicKey(found.pair), input, bytes);
    return isGood ? payload : "the signature is not good";
  }

  /** Claims as they are signed: the template's, what the caller sets, and ours over both. */
  #payload(
    user: User,
    accessor: string,
    role: OidcRoleRecord,
    key: OidcKeyRecord,
    requested: Readonly<Record<string, Json>>,
  ): Record<string, Json> {
    const { clock, identity, random } = this.#in;
    const iat = Math.floor(clock.now() / 1000);
    const subject: ClaimSubject = {
      view: identity.view(user),
      now: iat,
      selfAsserted: role.selfAsserted,
      accessorOf: (name) => this.#in.mounts.resolve(name)?.accessor,
    };
    return {
      ...requested,
      ...templateClaims(this.#in.roles.templateOf(role), subject),
      iss: this.#in.issuer(),
      sub: user.record.entityId,
      aud: role.clientId,
      iat,
      exp: iat + Math.min(role.ttl, key.verificationTtl),
      namespace: "root",
      jti: newUuid(random),
      ep: user.record.epoch,
      sid: sessionIdOf(accessor),
    };
  }

  /** S14: it counts no longer than the entity, its epoch and the token that minted it. */
  #standing(sub: string, ep: Json | undefined, sid: string): Introspection {
    const { identity, state } = this.#in;
    const user = identity.followed(sub);
    if (user === undefined) return inactive("entity was not found");
    if (user.record.disabled) return inactive("entity is disabled");
    if (state.users.get(sub)!.record.epoch !== ep) return inactive("the entity's access was revoked");
    if (!hasLiveSession(user, sid, this.#in)) return inactive("the token that it was made with has ended");
    return { active: true };
  }

  #publicKey(pair: OidcKeyPair): KeyObject {
    const known = this.#publicKeys.get(pair);
    if (known !== undefined) return known;
    const key = createPublicKey({ key: { ...pair.publicJwk }, format: "jwk" });
    this.#publicKeys.set(pair, key);
    return key;
  }
}

function assertServes({ name, allowedClientIds }: OidcKeyRecord, role: OidcRoleRecord): void {
  if (allowedClientIds === undefined || allowedClientIds.includes("*") || allowedClientIds.includes(role.clientId)) {
    return;
  }
  throw new VaultError(
    "invalid_argument",
    `the key ${JSON.stringify(name)} does not list the client ID of the role ${
      JSON.stringify(role.name)
    } as an allowed client ID`,
    { hint: `write the key with allowed_client_ids=${role.clientId} or "*"` },
  );
}

function noSuchRole(name: string): VaultError {
  return new VaultError("invalid_argument", `role ${JSON.stringify(name)} not found`, {
    hint: "the path names a role of identity tokens, not a user: a token is always of the caller's own entity",
  });
}

function inactive(error: string): Introspection {
  return { active: false, error };
}

function decoded(part: string): Record<string, Json> | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Record<string, Json>
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
