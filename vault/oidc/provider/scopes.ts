/**
 * Scopes: named templates of claims that a client may ask for (OpenID Connect Core §5.4).
 *
 * @module
 */

import { VaultError } from "../../errors.ts";
import type { Json, OidcScopeRecord } from "../../storage/identity_records.ts";
import type { Surroundings } from "../../tokens/token_service.ts";
import { checkedTemplate, templateClaims } from "../claims.ts";
import type { ClaimSubject, ClaimTemplate } from "../template.ts";
import { oauthError } from "./oauth_error.ts";
import { ProviderObjects } from "./objects.ts";

/** The scope that makes a request one of OpenID Connect; it has no claims of its own. */
export const OPENID = "openid";

/** What a write of a scope may say; absent fields stay. */
export interface ScopeInput {
  readonly template?: string;
  readonly description?: string;
}

/** Everything that is done to scopes. */
export class Scopes {
  readonly #objects: ProviderObjects<"oidc_scope">;
  readonly #providers: ProviderObjects<"oidc_provider">;
  readonly #templates = new WeakMap<OidcScopeRecord, ClaimTemplate>();

  constructor(surroundings: Surroundings) {
    this.#objects = new ProviderObjects(surroundings, "oidc_scope");
    this.#providers = new ProviderObjects(surroundings, "oidc_provider");
  }

  /** A scope by its name. */
  get(name: string): OidcScopeRecord | undefined {
    return this.#objects.get(name);
  }

  /** The names of all scopes. */
  list(): string[] {
    return this.#objects.list();
  }

  /**
   * Makes a scope, or changes what is given of one.
   *
   * @throws {VaultError} `invalid_argument` for `openid`, and for a template that can't be.
   */
  async put(name: string, input: ScopeInput): Promise<void> {
    if (name === OPENID) throw new VaultError("invalid_argument", `the "openid" scope name is reserved`);
    if (input.template !== undefined) checkedTemplate(input.template);
    await this.#objects.put(name, (before) => ({
      name,
      template: input.template ?? before?.template ?? "",
      description: input.description ?? before?.description ?? "",
    }));
  }

  /**
   * Deletes a scope; absent: nothing.
   *
   * @throws {VaultError} `invalid_argument` for one that providers offer.
   */
  delete(name: string): Promise<void> {
    return this.#objects.delete(name, () => {
      const users = this.#providers.all().filter((provider) => provider.scopesSupported.includes(name));
      if (users.length === 0) return;
      const names = users.map((provider) => provider.name).sort().join(", ");
      throw new VaultError(
        "invalid_argument",
        `unable to delete scope ${
          JSON.stringify(name)
        } because it is currently referenced by these providers: ${names}`,
      );
    });
  }

  /**
   * The claims that scopes give to a subject. A scope that is gone since it was granted gives none.
   *
   * @throws {VaultError} `invalid_scope` where two scopes give the same claim: which one counts would be chance.
   */
  claims(names: readonly string[], subject: ClaimSubject): Record<string, Json> {
    const claims = new Map<string, Json>();
    for (const name of names) {
      const scope = this.#objects.get(name);
      if (scope === undefined) continue;
      for (const [claim, value] of Object.entries(templateClaims(this.#templateOf(scope), subject))) {
        if (claims.has(claim)) {
          throw oauthError("invalid_scope", `two of the scopes give the claim ${JSON.stringify(claim)}`);
        }
        claims.set(claim, value);
      }
    }
    return Object.fromEntries(claims);
  }

  #templateOf(scope: OidcScopeRecord): ClaimTemplate {
    const known = this.#templates.get(scope) ?? checkedTemplate(scope.template);
    this.#templates.set(scope, known);
    return known;
  }
}
