/**
 * Root tokens: made by the machine's operator alone, never over the network (S19).
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { ServiceTokens, ServiceTokenSurroundings } from "./service_tokens.ts";

/** Path of root tokens that the operator made. */
export const ROOT_TOKEN_PATH = "auth/token/root";

/** What may be told of a root token. */
export interface RootTokenSummary {
  readonly accessor: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt: number | null;
}

/** Makes and ends root tokens. */
export class RootTokens {
  readonly #in: ServiceTokenSurroundings;
  readonly #tokens: ServiceTokens;

  constructor(surroundings: ServiceTokenSurroundings, tokens: ServiceTokens) {
    this.#in = surroundings;
    this.#tokens = tokens;
  }

  /**
   * Makes a root token.
   *
   * @param store Called with the token before anything is committed, to keep it where it can be read; a failure of it
   *   leaves no token behind.
   */
  make(store?: (token: string) => Promise<void>): Promise<RootTokenSummary & { readonly token: string }> {
    return this.#in.writer.change(async () => {
      const { token, record, writes } = this.#tokens.planMint({
        policies: ["root"],
        path: ROOT_TOKEN_PATH,
        mountAccessor: this.#in.mounts.byPath("auth", "token/")?.accessor ?? "",
        displayName: "root",
        meta: null,
        entity: null,
        parent: null,
        isOrphan: true,
        lifetime: null,
        renewable: false,
        numUses: 0,
        boundCidrs: [],
      });
      await store?.(token);
      return {
        writes,
        result: () => ({ token, accessor: record.accessor, createdAt: record.createdAt, expiresAt: null }),
      };
    });
  }

  /** Every token with the policy `root`, those that another root token made included. */
  list(): RootTokenSummary[] {
    const roots = [...this.#tokens.index.all()].filter((record) => record.policies.includes("root"));
    return roots.map(({ accessor, createdAt, expiresAt }) => ({ accessor, createdAt, expiresAt }));
  }

  /**
   * Ends a root token and all that it made.
   *
   * @throws {VaultError} `not_found`.
   */
  async revoke(accessor: string): Promise<void> {
    const record = this.#tokens.index.byAccessor(accessor);
    if (record === undefined || !record.policies.includes("root")) {
      throw new VaultError("not_found", "No root token has this accessor", {
        hint: "see `runevault operator root list`",
      });
    }
    await this.#tokens.endings.end([record.hash]);
  }
}
