/**
 * Providers: under which issuer which clients may have users sign in, with which scopes.
 *
 * @module
 */

import { VaultError } from "../../errors.ts";
import type { OidcClientRecord, OidcProviderRecord } from "../../storage/identity_records.ts";
import type { Surroundings } from "../../tokens/token_service.ts";
import { assertIssuer, ISSUER_PATH } from "../issuer.ts";
import { ProviderObjects } from "./objects.ts";
import { OPENID } from "./scopes.ts";

/** The provider that is there without anybody making it. */
const DEFAULT_PROVIDER = "default";

const BUILT_IN: OidcProviderRecord = {
  name: DEFAULT_PROVIDER,
  issuer: "",
  allowedClientIds: ["*"],
  scopesSupported: [],
};

/** What a write of a provider may say; absent fields stay. */
export interface ProviderInput {
  readonly issuer?: string;
  readonly allowedClientIds?: readonly string[];
  readonly scopesSupported?: readonly string[];
}

/** Everything that is done to providers. */
export class Providers {
  readonly #objects: ProviderObjects<"oidc_provider">;
  readonly #scopes: ProviderObjects<"oidc_scope">;
  readonly #base: () => string;

  /** @param base Scheme, host and port where a provider has no issuer of its own. */
  constructor(surroundings: Surroundings, base: () => string) {
    this.#objects = new ProviderObjects(surroundings, "oidc_provider");
    this.#scopes = new ProviderObjects(surroundings, "oidc_scope");
    this.#base = base;
  }

  /** A provider by its name. */
  get(name: string): OidcProviderRecord | undefined {
    return this.#objects.get(name) ?? (name === DEFAULT_PROVIDER ? BUILT_IN : undefined);
  }

  /** The names of all providers. */
  list(): string[] {
    return [...new Set([DEFAULT_PROVIDER, ...this.#objects.list()])].sort();
  }

  /**
   * Makes a provider, or changes what is given of one.
   *
   * @throws {VaultError} `invalid_argument` for an issuer that is none, and for scopes that aren't there.
   */
  async put(name: string, input: ProviderInput): Promise<void> {
    if (input.issuer !== undefined) assertIssuer(input.issuer);
    await this.#objects.put(name, (stored) => {
      const before = stored ?? { ...BUILT_IN, name, allowedClientIds: name === DEFAULT_PROVIDER ? ["*"] : [] };
      const scopesSupported = [...new Set(input.scopesSupported ?? before.scopesSupported)];
      const unknown = scopesSupported.find((scope) => this.#scopes.get(scope) === undefined);
      if (unknown !== undefined) {
        throw new VaultError("invalid_argument", `scope ${JSON.stringify(unknown.slice(0, 80))} does not exist`, {
          hint: unknown === OPENID ? "openid is always offered and needs no mention" : "write the scope first",
        });
      }
      return {
        name,
        issuer: input.issuer ?? before.issuer,
        allowedClientIds: [...new Set(input.allowedClientIds ?? before.allowedClientIds)],
        scopesSupported,
      };
    });
  }

  /**
   * Deletes a provider; absent: nothing.
   *
   * @throws {VaultError} `invalid_argument` for the built-in one.
   */
  async delete(name: string): Promise<void> {
    if (name === DEFAULT_PROVIDER) {
      throw new VaultError("invalid_argument", `deletion of OIDC provider ${JSON.stringify(name)} not allowed`);
    }
    await this.#objects.delete(name);
  }

  /** Scheme, host and port that a provider's addresses begin with. */
  baseOf({ issuer }: OidcProviderRecord): string {
    return issuer === "" ? this.#base() : issuer;
  }

  /** The `iss` of a provider's tokens (OpenID Connect Discovery §3). */
  issuerOf(provider: OidcProviderRecord): string {
    return `${this.baseOf(provider)}${ISSUER_PATH}/provider/${provider.name}`;
  }
}

/** Whether a provider lets a client use it. */
export function allowsClient({ allowedClientIds }: OidcProviderRecord, { clientId }: OidcClientRecord): boolean {
  return allowedClientIds.includes("*") || allowedClientIds.includes(clientId);
}
