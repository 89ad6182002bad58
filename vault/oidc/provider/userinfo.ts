/**
 * The userinfo endpoint (OpenID Connect Core §5.3): the claims of the user whom an access token stands for, as they are
 * now.
 *
 * @module
 */

import type { Identity } from "../../identity/identity.ts";
import type { MountTable } from "../../mounts/mount_table.ts";
import type { ServiceTokens } from "../../service_tokens/service_tokens.ts";
import type { User } from "../../state.ts";
import type { Json, OidcProviderRecord } from "../../storage/identity_records.ts";
import type { Surroundings } from "../../tokens/token_service.ts";
import type { AccessTokens } from "./access_tokens.ts";
import type { Assignments } from "./assignments.ts";
import type { Clients } from "./clients.ts";
import { oauthError } from "./oauth_error.ts";
import { allowsClient } from "./providers.ts";
import type { Scopes } from "./scopes.ts";
import { standingOf } from "./standing.ts";

/** What telling needs. */
export interface UserInfoSurroundings extends Surroundings {
  readonly identity: Identity;
  readonly mounts: MountTable;
  readonly tokens: ServiceTokens;
  readonly clients: Clients;
  readonly scopes: Scopes;
  readonly assignments: Assignments;
  readonly accessTokens: AccessTokens;
}

/** Tells who a user is. */
export class UserInfo {
  readonly #in: UserInfoSurroundings;

  constructor(surroundings: UserInfoSurroundings) {
    this.#in = surroundings;
  }

  /**
   * The claims that an access token gives a right to.
   *
   * @throws {VaultError} With the OAuth name `invalid_token`.
   */
  of(provider: OidcProviderRecord, accessToken: string): Record<string, Json> {
    const access = this.#in.accessTokens.read(accessToken);
    const user = access === undefined ? undefined : standingOf(access, this.#in);
    if (access === undefined || user === undefined || !this.#mayBeTold(provider, access, user)) {
      throw oauthError("invalid_token", "access token is not valid");
    }
    const { clock, identity, mounts, scopes } = this.#in;
    const claims = scopes.claims(access.scopes.filter((name) => provider.scopesSupported.includes(name)), {
      view: identity.view(user),
      now: Math.floor(clock.now() / 1000),
      selfAsserted: [],
      accessorOf: (name) => mounts.resolve(name)?.accessor,
    });
    return { ...claims, sub: user.record.entityId };
  }

  /** A token is for one client of one provider, while both still stand for this user. */
  #mayBeTold(provider: OidcProviderRecord, access: { provider: string; clientId: string }, user: User): boolean {
    if (access.provider !== provider.name) return false;
    const client = this.#in.clients.byClientId(access.clientId);
    if (client === undefined || !allowsClient(provider, client)) return false;
    return this.#in.assignments.allow(client.assignments, this.#in.identity.view(user));
  }
}
