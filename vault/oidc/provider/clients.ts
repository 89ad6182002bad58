/**
 * Clients: the applications that let their users sign in here (RFC 6749 §2).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { VaultError } from "../../errors.ts";
import type { SealKey } from "../../keys/seal_key.ts";
import { randomBase62 } from "../../service_tokens/token_text.ts";
import type { OidcClientRecord, OidcKeyRecord } from "../../storage/identity_records.ts";
import type { Surroundings } from "../../tokens/token_service.ts";
import { DEFAULT_KEY, type OidcKeys } from "../oidc_keys.ts";
import { ProviderObjects } from "./objects.ts";

const DAY = 86_400;
const CLIENT_ID_LETTERS = 32;
const SECRET_LETTERS = 64;
const SECRET_PREFIX = "hvo_secret_";
const MAX_REDIRECT_URIS = 64;
const MAX_URI_LENGTH = 2048;
/** A browser would run them, or hand the code to a file of the user's machine. */
const REFUSED_SCHEMES = new Set(["javascript:", "data:", "vbscript:", "file:", "about:", "blob:"]);

/** What a write of a client may say; absent fields stay. */
export interface ClientInput {
  readonly key?: string;
  readonly redirectUris?: readonly string[];
  readonly assignments?: readonly string[];
  readonly clientType?: string;
  /** Seconds. */
  readonly idTokenTtl?: number;
  /** Seconds. */
  readonly accessTokenTtl?: number;
}

/** What clients need. */
export interface ClientSurroundings extends Surroundings {
  readonly sealKey: SealKey;
  readonly keys: OidcKeys;
}

/** Everything that is done to clients. */
export class Clients {
  readonly #in: ClientSurroundings;
  readonly #objects: ProviderObjects<"oidc_client">;
  readonly #byClientId = new Map<string, OidcClientRecord>();

  constructor(surroundings: ClientSurroundings) {
    this.#in = surroundings;
    this.#objects = new ProviderObjects(surroundings, "oidc_client");
    surroundings.state.watch("oidc_client", (after, before) => {
      if (before !== undefined) this.#byClientId.delete(before.clientId);
      if (after !== undefined) this.#byClientId.set(after.clientId, after);
    });
  }

  /** A client by its name. */
  get(name: string): OidcClientRecord | undefined {
    return this.#objects.get(name);
  }

  /** A client by its client id. */
  byClientId(clientId: string): OidcClientRecord | undefined {
    return this.#byClientId.get(clientId);
  }

  /** All clients in the order of their names. */
  list(): OidcClientRecord[] {
    return this.#objects.all().sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Makes a client, or changes what is given of one. Its id and its secret are drawn once and stay.
   *
   * @throws {VaultError} `invalid_argument`.
   */
  async put(name: string, input: ClientInput): Promise<void> {
    const keyName = input.key ?? this.get(name)?.key ?? DEFAULT_KEY;
    await this.#in.keys.needed(keyName);
    await this.#objects.put(name, (before) => {
      const key = this.#in.keys.get(keyName);
      if (key === undefined) throw invalid(`key ${JSON.stringify(keyName)} does not exist`);
      assertUnchanged(before, input);
      return this.#updated(name, before, input, key);
    });
  }

  /** Deletes a client; absent: nothing. Whatever it was given counts no more. */
  delete(name: string): Promise<void> {
    return this.#objects.delete(name);
  }

  /** The secret of a confidential client; undefined for a public one. */
  secretOf(client: OidcClientRecord): string | undefined {
    if (client.sealedSecret === undefined) return undefined;
    return Buffer.from(this.#in.sealKey.open(sealIdentity(client.clientId), client.sealedSecret)).toString("utf8");
  }

  /** Whether this is the secret of a client; nothing is one of a public client's. */
  hasSecret(client: OidcClientRecord, presented: string): boolean {
    const secret = this.secretOf(client);
    return secret !== undefined && timingSafeEqual(digest(secret), digest(presented));
  }

  #updated(
    name: string,
    before: OidcClientRecord | undefined,
    input: ClientInput,
    key: OidcKeyRecord,
  ): OidcClientRecord {
    const idTokenTtl = input.idTokenTtl ?? before?.idTokenTtl ?? Math.min(DAY, key.verificationTtl);
    if (idTokenTtl > key.verificationTtl) {
      throw invalid("a client's id_token_ttl cannot be greater than the verification_ttl of the key it references");
    }
    const accessTokenTtl = input.accessTokenTtl ?? before?.accessTokenTtl ?? DAY;
    if (accessTokenTtl < 1 || idTokenTtl < 1) throw invalid("a token's ttl must be at least one second");
    return {
      ...(before ?? this.#newIdentity(clientTypeOf(input.clientType))),
      name,
      key: key.name,
      redirectUris: checkedRedirectUris(input.redirectUris ?? before?.redirectUris ?? []),
      assignments: [...new Set(input.assignments ?? before?.assignments ?? [])],
      idTokenTtl,
      accessTokenTtl,
    };
  }

  #newIdentity(clientType: "confidential" | "public") {
    const clientId = randomBase62(this.#in.random, CLIENT_ID_LETTERS);
    if (clientType === "public") return { clientId, clientType };
    const secret = SECRET_PREFIX + randomBase62(this.#in.random, SECRET_LETTERS);
    return { clientId, clientType, sealedSecret: this.#in.sealKey.seal(sealIdentity(clientId), Buffer.from(secret)) };
  }
}

/** Whether a key may sign for a client id. */
export function serves({ allowedClientIds }: OidcKeyRecord, clientId: string): boolean {
  return allowedClientIds === undefined || allowedClientIds.includes("*") || allowedClientIds.includes(clientId);
}

function assertUnchanged(before: OidcClientRecord | undefined, { key, clientType }: ClientInput): void {
  if (before === undefined) return;
  if (key !== undefined && key !== before.key) throw invalid("key modification is not allowed");
  if (clientType !== undefined && clientType !== before.clientType) {
    throw invalid("client_type modification is not allowed");
  }
}

function clientTypeOf(given: string | undefined): "confidential" | "public" {
  if (given === undefined || given === "confidential") return "confidential";
  if (given === "public") return "public";
  throw invalid(`invalid client_type: it must be "confidential" or "public"`);
}

/** RFC 6749 §3.1.2: absolute, without a fragment. */
function checkedRedirectUris(given: readonly string[]): string[] {
  if (given.length > MAX_REDIRECT_URIS) throw invalid(`a client has ${MAX_REDIRECT_URIS} redirect_uris at most`);
  for (const uri of given) {
    const url = uri.length <= MAX_URI_LENGTH ? URL.parse(uri) : null;
    if (url === null || uri.includes("#") || REFUSED_SCHEMES.has(url.protocol)) {
      throw invalid("a redirect_uri must be an absolute URI without a fragment");
    }
  }
  return [...new Set(given)];
}

function sealIdentity(clientId: string): string {
  return `oidc_client/${clientId}`;
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text, "utf8").digest();
}

function invalid(message: string): VaultError {
  return new VaultError("invalid_argument", message);
}
