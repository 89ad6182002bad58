/**
 * The authorization endpoint (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2): a signed-in user lets an application know
 * who they are.
 *
 * @module
 */

import { newUuid } from "../../ids.ts";
import type { Identity } from "../../identity/identity.ts";
import type { ApiCaller } from "../../service_tokens/caller.ts";
import type { ServiceTokens } from "../../service_tokens/service_tokens.ts";
import type { User } from "../../state.ts";
import type { OidcClientRecord, OidcProviderRecord } from "../../storage/identity_records.ts";
import type { Surroundings } from "../../tokens/token_service.ts";
import { sessionIdOf } from "../session_ids.ts";
import type { Assignments } from "./assignments.ts";
import type { Clients } from "./clients.ts";
import type { AuthorizationCodes } from "./codes.ts";
import { oauthError } from "./oauth_error.ts";
import { type CodeChallenge, codeChallengeOf } from "./pkce.ts";
import { allowsClient } from "./providers.ts";
import { OPENID } from "./scopes.ts";

/** What an application asks for; absent and empty are the same. */
export interface AuthorizationRequest {
  readonly scope?: string;
  readonly responseType?: string;
  readonly clientId?: string;
  readonly redirectUri?: string;
  readonly state?: string;
  readonly nonce?: string;
  readonly maxAge?: number;
  readonly codeChallenge?: string;
  readonly codeChallengeMethod?: string;
  readonly request?: string;
  readonly requestUri?: string;
}

/** What authorizing needs. */
export interface AuthorizationSurroundings extends Surroundings {
  readonly identity: Identity;
  readonly tokens: ServiceTokens;
  readonly clients: Clients;
  readonly assignments: Assignments;
  readonly codes: AuthorizationCodes;
}

const MAX_TEXT = 2048;

/** Hands out codes. */
export class Authorization {
  readonly #in: AuthorizationSurroundings;

  constructor(surroundings: AuthorizationSurroundings) {
    this.#in = surroundings;
  }

  /**
   * A code for an application, on behalf of the caller's own entity.
   *
   * @throws {VaultError} With an OAuth name; `rate_limited`.
   */
  authorize(caller: ApiCaller, provider: OidcProviderRecord, request: AuthorizationRequest): string {
    const client = this.#clientOf(provider, request);
    assertRequest(request);
    const challenge = challengeOf(client, request);
    const user = this.#assignedUser(caller, client);
    const authTime = this.#authTime(caller);
    this.#assertFresh(authTime, request.maxAge);
    return this.#in.codes.make({
      id: newUuid(this.#in.random),
      provider: provider.name,
      clientId: client.clientId,
      redirectUri: request.redirectUri!,
      scopes: scopesOf(provider, request.scope!),
      nonce: request.nonce || undefined,
      challenge,
      authTime,
      entityId: user.record.entityId,
      epoch: user.record.epoch,
      sid: sessionIdOf(caller.accessor),
    });
  }

  /** The client and its address come first: nothing may be said to an application that isn't this one. */
  #clientOf(provider: OidcProviderRecord, { clientId, redirectUri }: AuthorizationRequest): OidcClientRecord {
    if (!clientId) throw oauthError("invalid_request", "client_id parameter is required");
    const client = this.#in.clients.byClientId(clientId);
    if (client === undefined) throw oauthError("invalid_client_id", "client with client_id not found");
    if (!redirectUri) throw oauthError("invalid_request", "redirect_uri parameter is required");
    if (!client.redirectUris.includes(redirectUri)) {
      throw oauthError("invalid_redirect_uri", "redirect_uri is not allowed for the client");
    }
    if (allowsClient(provider, client)) return client;
    throw oauthError("unauthorized_client", "client is not authorized to use the provider");
  }

  #assignedUser({ entity }: ApiCaller, client: OidcClientRecord): User {
    if (entity === null) throw oauthError("access_denied", "identity entity must be associated with the request");
    if (this.#in.assignments.allow(client.assignments, this.#in.identity.view(entity))) return entity;
    throw oauthError("access_denied", "identity entity not authorized by client assignment");
  }

  /**
   * When the user signed in: the making of the first token of their line. A child made just now from an old login
   * proves nothing of this hour.
   */
  #authTime({ token, evt }: ApiCaller): number | undefined {
    if (token === null) return evt?.record.issuedAt ? Math.floor(evt.record.issuedAt / 1000) : undefined;
    let first = token;
    for (let parent = first.parent; parent !== null; parent = first.parent) {
      const above = this.#in.tokens.index.get(parent);
      if (above === undefined) break;
      first = above;
    }
    const evtMade = first.evtAgentId === undefined ? undefined : this.#in.state.tokens.get(first.evtAgentId)?.record;
    const madeAt = evtMade === undefined ? first.createdAt : evtMade.issuedAt;
    return madeAt === null ? undefined : Math.floor(madeAt / 1000);
  }

  #assertFresh(authTime: number | undefined, maxAge: number | undefined): void {
    if (maxAge === undefined) return;
    const age = authTime === undefined ? Infinity : this.#in.clock.now() / 1000 - authTime;
    if (maxAge < 1 || age > maxAge) {
      throw oauthError("max_age_violation", "active re-authentication is required by max_age");
    }
  }
}

function assertRequest({ responseType, scope, request, requestUri, nonce, state }: AuthorizationRequest): void {
  if (request) throw oauthError("request_not_supported", "request parameter is not supported");
  if (requestUri) throw oauthError("request_uri_not_supported", "request_uri parameter is not supported");
  if (!responseType) throw oauthError("invalid_request", "response_type parameter is required");
  if (responseType !== "code") throw oauthError("unsupported_response_type", "unsupported response_type value");
  if (!scope?.split(" ").includes(OPENID)) {
    throw oauthError("invalid_request", `scope parameter must contain the following value: ${JSON.stringify(OPENID)}`);
  }
  if ([scope, nonce, state].some((text) => (text?.length ?? 0) > MAX_TEXT)) {
    throw oauthError("invalid_request", `scope, nonce and state may have ${MAX_TEXT} characters`);
  }
}

/** A public client has no secret: without the proof whoever catches its code could use it (RFC 8252 §8.1). */
function challengeOf(client: OidcClientRecord, request: AuthorizationRequest): CodeChallenge | undefined {
  const challenge = codeChallengeOf(request.codeChallenge || undefined, request.codeChallengeMethod || undefined);
  if (challenge === undefined && client.clientType === "public") {
    throw oauthError("invalid_request", "PKCE is required for public clients");
  }
  return challenge;
}

/** Scopes that the provider doesn't offer are left out, as RFC 6749 §3.3 lets it. */
function scopesOf({ scopesSupported }: OidcProviderRecord, scope: string): string[] {
  return [...new Set(scope.split(" "))].filter((name) => scopesSupported.includes(name));
}
