/**
 * The token endpoint (RFC 6749 §4.1.3, OpenID Connect Core §3.1.3): an application changes its code for tokens.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Identity } from "../../identity/identity.ts";
import { newUuid } from "../../ids.ts";
import type { MountTable } from "../../mounts/mount_table.ts";
import type { ServiceTokens } from "../../service_tokens/service_tokens.ts";
import type { User } from "../../state.ts";
import type {
  Json,
  OidcClientRecord,
  OidcKeyRecord,
  OidcProviderRecord,
  SigningAlgorithm,
} from "../../storage/identity_records.ts";
import type { Surroundings } from "../../tokens/token_service.ts";
import type { IdentityTokens } from "../identity_tokens.ts";
import type { OidcKeys } from "../oidc_keys.ts";
import type { AccessTokens } from "./access_tokens.ts";
import type { Assignments } from "./assignments.ts";
import { type Clients, serves } from "./clients.ts";
import type { AuthorizationCodes, Grant } from "./codes.ts";
import { oauthError } from "./oauth_error.ts";
import { assertVerifier } from "./pkce.ts";
import { allowsClient, type Providers } from "./providers.ts";
import type { Scopes } from "./scopes.ts";
import { standingOf } from "./standing.ts";

/** How a client says who it is (OpenID Connect Core §9). */
export interface ClientCredentials {
  readonly clientId: string;
  /** Undefined: none was sent. */
  readonly secret: string | undefined;
}

/** What an application sends. */
export interface ExchangeRequest {
  readonly grantType?: string;
  readonly code?: string;
  readonly redirectUri?: string;
  readonly codeVerifier?: string;
}

/** What it gets. */
export interface ExchangedTokens {
  readonly accessToken: string;
  readonly idToken: string;
  /** Seconds. */
  readonly expiresIn: number;
}

/** What exchanging needs. */
export interface ExchangeSurroundings extends Surroundings {
  readonly identity: Identity;
  readonly mounts: MountTable;
  readonly tokens: ServiceTokens;
  readonly keys: OidcKeys;
  readonly identityTokens: IdentityTokens;
  readonly clients: Clients;
  readonly scopes: Scopes;
  readonly assignments: Assignments;
  readonly providers: Providers;
  readonly codes: AuthorizationCodes;
  readonly accessTokens: AccessTokens;
}

/** Changes codes for tokens. */
export class TokenExchange {
  readonly #in: ExchangeSurroundings;

  constructor(surroundings: ExchangeSurroundings) {
    this.#in = surroundings;
  }

  /**
   * Changes a code for an access token and an identity token.
   *
   * @throws {VaultError} With an OAuth name.
   */
  async exchange(
    provider: OidcProviderRecord,
    credentials: ClientCredentials | undefined,
    request: ExchangeRequest,
  ): Promise<ExchangedTokens> {
    const client = this.#authenticated(credentials);
    if (!allowsClient(provider, client)) {
      throw oauthError("invalid_client", "client is not authorized to use the provider");
    }
    assertRequest(request);
    const grant = this.#redeem(request, provider, client);
    assertVerifier(grant.challenge, request.codeVerifier || undefined);
    const user = this.#standing(grant, client);
    const key = await this.#keyOf(client);
    const accessToken = this.#in.accessTokens.make(grant, client.accessTokenTtl);
    const claims = this.#claims({ grant, client, key, user, provider, accessToken, code: request.code! });
    const idToken = await this.#in.identityTokens.sign(key, claims);
    // Signing takes a while: what was ended meanwhile gets no token.
    this.#standing(grant, client);
    return { accessToken, idToken, expiresIn: client.accessTokenTtl };
  }

  #authenticated(credentials: ClientCredentials | undefined): OidcClientRecord {
    if (credentials === undefined) throw oauthError("invalid_client", "client failed to authenticate");
    const client = this.#in.clients.byClientId(credentials.clientId);
    const isProven = client !== undefined &&
      (client.clientType === "public"
        ? credentials.secret === undefined
        : credentials.secret !== undefined && this.#in.clients.hasSecret(client, credentials.secret));
    if (isProven) return client;
    throw oauthError("invalid_client", "client failed to authenticate");
  }

  /** Only the client that a code was made for can use it up; anybody else's try with it is told nothing more. */
  #redeem(request: ExchangeRequest, provider: OidcProviderRecord, client: OidcClientRecord): Grant {
    const redeemed = this.#in.codes.redeem(request.code!);
    if (redeemed.kind === "replayed") this.#in.accessTokens.revoke(redeemed.grant.id, client.accessTokenTtl);
    if (redeemed.kind !== "grant") throw oauthError("invalid_grant", "authorization grant is invalid or expired");
    const { grant } = redeemed;
    if (grant.clientId !== client.clientId || grant.provider !== provider.name) {
      throw oauthError("invalid_grant", "authorization code was not issued to the client");
    }
    if (grant.redirectUri === request.redirectUri) return grant;
    throw oauthError("invalid_grant", "redirect_uri does not match the one of the authorization request");
  }

  #standing(grant: Grant, client: OidcClientRecord): User {
    const user = standingOf(grant, this.#in);
    if (user === undefined) throw oauthError("invalid_grant", "the user's sign-in has ended");
    if (this.#in.assignments.allow(client.assignments, this.#in.identity.view(user))) return user;
    throw oauthError("invalid_grant", "identity entity not authorized by client assignment");
  }

  async #keyOf(client: OidcClientRecord): Promise<OidcKeyRecord> {
    const key = await this.#in.keys.needed(client.key);
    if (key === undefined || !serves(key, client.clientId)) {
      throw oauthError("invalid_client", "the client's key does not list its client_id as allowed");
    }
    return key;
  }

  /** Claims of the identity token (OpenID Connect Core §2, §3.1.3.6): those of scopes, and ours over them. */
  #claims({ grant, client, key, user, provider, accessToken, code }: Issuing): Record<string, Json> {
    const { clock, identity, mounts, random, scopes, providers } = this.#in;
    const iat = Math.floor(clock.now() / 1000);
    const subject = {
      view: identity.view(user),
      now: iat,
      selfAsserted: [],
      accessorOf: (name: string) => mounts.resolve(name)?.accessor,
    };
    return {
      ...scopes.claims(grant.scopes, subject),
      ...(grant.nonce === undefined ? {} : { nonce: grant.nonce }),
      ...(grant.authTime === undefined ? {} : { auth_time: grant.authTime }),
      iss: providers.issuerOf(provider),
      sub: user.record.entityId,
      aud: client.clientId,
      iat,
      exp: iat + Math.min(client.idTokenTtl, key.verificationTtl),
      namespace: "root",
      at_hash: halfHash(key.algorithm, accessToken),
      c_hash: halfHash(key.algorithm, code),
      jti: newUuid(random),
      ep: user.record.epoch,
      sid: grant.sid,
    };
  }
}

interface Issuing {
  readonly grant: Grant;
  readonly client: OidcClientRecord;
  readonly key: OidcKeyRecord;
  readonly user: User;
  readonly provider: OidcProviderRecord;
  readonly accessToken: string;
  readonly code: string;
}

function assertRequest({ grantType, code, redirectUri }: ExchangeRequest): void {
  if (!grantType) throw oauthError("invalid_request", "grant_type parameter is required");
  if (grantType !== "authorization_code") throw oauthError("unsupported_grant_type", "unsupported grant_type value");
  if (!code) throw oauthError("invalid_request", "code parameter is required");
  if (!redirectUri) throw oauthError("invalid_request", "redirect_uri parameter is required");
}

/** OpenID Connect Core §3.1.3.6: the left half of the hash that the signature's algorithm uses (Ed25519: SHA-512). */
function halfHash(algorithm: SigningAlgorithm, value: string): string {
  const bits = algorithm === "EdDSA" ? "512" : algorithm.slice(2);
  const hash = createHash(`sha${bits}`).update(value, "ascii").digest();
  return hash.subarray(0, hash.length / 2).toString("base64url");
}
