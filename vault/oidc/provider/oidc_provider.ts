/**
 * The OIDC provider put together: applications that know nothing of this vault's tokens let their users sign in here
 * (OpenID Connect Core 1.0, authorization code flow).
 *
 * @module
 */

import type { Identity } from "../../identity/identity.ts";
import type { SealKey } from "../../keys/seal_key.ts";
import type { MountTable } from "../../mounts/mount_table.ts";
import type { ServiceTokens } from "../../service_tokens/service_tokens.ts";
import type { OidcProviderRecord } from "../../storage/identity_records.ts";
import type { Surroundings } from "../../tokens/token_service.ts";
import type { IdentityTokens } from "../identity_tokens.ts";
import type { OidcIssuer, PublishedKeys } from "../issuer.ts";
import type { OidcKeys } from "../oidc_keys.ts";
import { AccessTokens } from "./access_tokens.ts";
import { Assignments } from "./assignments.ts";
import { Authorization } from "./authorization.ts";
import { Clients } from "./clients.ts";
import { AuthorizationCodes } from "./codes.ts";
import { allowsClient, Providers } from "./providers.ts";
import { Scopes } from "./scopes.ts";
import { TokenExchange } from "./token_exchange.ts";
import { UserInfo } from "./userinfo.ts";

/** What the provider needs. */
export interface OidcProviderSurroundings extends Surroundings {
  readonly sealKey: SealKey;
  readonly identity: Identity;
  readonly mounts: MountTable;
  readonly tokens: ServiceTokens;
  readonly keys: OidcKeys;
  readonly identityTokens: IdentityTokens;
  readonly issuer: OidcIssuer;
}

/** Everything of the provider. */
export class OidcProvider {
  readonly assignments: Assignments;
  readonly scopes: Scopes;
  readonly clients: Clients;
  readonly providers: Providers;
  readonly authorization: Authorization;
  readonly exchange: TokenExchange;
  readonly userInfo: UserInfo;
  readonly #issuer: OidcIssuer;

  constructor(surroundings: OidcProviderSurroundings) {
    const { clock, random, sealKey, issuer } = surroundings;
    this.#issuer = issuer;
    this.assignments = new Assignments(surroundings);
    this.scopes = new Scopes(surroundings);
    this.clients = new Clients(surroundings);
    this.providers = new Providers(surroundings, () => issuer.base);
    const { assignments, scopes, clients, providers } = this;
    const parts = {
      ...surroundings,
      assignments,
      scopes,
      clients,
      providers,
      codes: new AuthorizationCodes(clock, random),
      accessTokens: new AccessTokens(clock, random, sealKey.deriveKey("runevault/oidc-access-tokens")),
    };
    this.authorization = new Authorization(parts);
    this.exchange = new TokenExchange(parts);
    this.userInfo = new UserInfo(parts);
  }

  /** The public keys that verify the identity tokens of a provider: those of the clients that it allows. */
  published(provider: OidcProviderRecord): PublishedKeys {
    const allowed = this.clients.list().filter((client) => allowsClient(provider, client));
    return this.#issuer.published(new Set(allowed.map((client) => client.key)));
  }
}
