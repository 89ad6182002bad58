/**
 * What identity tokens name as their issuer, and the keys that verify them.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { VaultState } from "../state.ts";
import type { Writer } from "../writer.ts";
import type { OidcKeys } from "./oidc_keys.ts";
import type { OidcRoles } from "./oidc_roles.ts";

const META_KEY = "oidc_issuer";
/** Where under a base the tokens of roles have their issuer. */
export const ISSUER_PATH = "/v1/identity/oidc";

/** Public keys as verifiers fetch them, and for how long they may keep them. */
export interface PublishedKeys {
  readonly keys: readonly Readonly<Record<string, string>>[];
  /** Seconds; 0: not at all. */
  readonly maxAge: number;
}

/** What is published about tokens. */
export class OidcIssuer {
  readonly #state: VaultState;
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #keys: OidcKeys;
  readonly #roles: OidcRoles;
  /** Scheme, host and port of this vault, where no issuer is configured. */
  ownUrl = "";

  constructor(
    { state, writer, clock }: { readonly state: VaultState; readonly writer: Writer; readonly clock: Clock },
    keys: OidcKeys,
    roles: OidcRoles,
  ) {
    this.#state = state;
    this.#writer = writer;
    this.#clock = clock;
    this.#keys = keys;
    this.#roles = roles;
  }

  /** The configured issuer: scheme, host and port, or empty. */
  get configured(): string {
    const value = this.#state.meta.get(META_KEY);
    return typeof value === "string" ? value : "";
  }

  /** The `iss` of tokens; never made from what a request says. */
  get issuer(): string {
    return this.base + ISSUER_PATH;
  }

  /** Scheme, host and port that all issuers begin with. */
  get base(): string {
    return this.configured || this.ownUrl;
  }

  /**
   * Sets the issuer; empty goes back to the vault's own address.
   *
   * @throws {VaultError} `invalid_argument` for what isn't scheme, host and port alone.
   */
  configure(issuer: string): Promise<void> {
    return this.#writer.change(() => {
      assertIssuer(issuer);
      const isSet = this.#state.meta.has(META_KEY);
      if (issuer === "") return { writes: isSet ? [{ kind: "meta", key: META_KEY }] : [], result: () => {} };
      return { writes: [{ kind: "meta", key: META_KEY, value: { value: issuer } }], result: () => {} };
    });
  }

  /** The public keys of every named key that some role uses (RFC 7517 §5). */
  published(names: ReadonlySet<string> = this.#roles.keysInUse()): PublishedKeys {
    const records = [...names].map((name) => this.#keys.get(name)).filter((record) => record !== undefined);
    const keys = records.flatMap((record) =>
      this.#keys.verifying(record).map((pair) => ({
        ...pair.publicJwk,
        use: "sig",
        alg: record.algorithm,
        kid: pair.kid,
      }))
    );
    const now = this.#clock.now();
    const ages = records.map((record) => Math.min((record.rotatesAt - now) / 1000, record.verificationTtl));
    return { keys, maxAge: keys.length === 0 ? 0 : Math.max(0, Math.floor(Math.min(...ages, 86_400))) };
  }
}

/**
 * Checks an issuer: scheme, host and port.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function assertIssuer(issuer: string): void {
  if (issuer === "") return;
  const url = URL.parse(issuer);
  if (url !== null && (url.protocol === "https:" || url.protocol === "http:") && url.origin === issuer) return;
  throw new VaultError(
    "invalid_argument",
    "invalid issuer, which must include only a scheme, host, and optional port (e.g. https://example.com:8200)",
  );
}
