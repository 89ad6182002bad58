/**
 * What the tests of service tokens share: tokens made as callers make them.
 *
 * @module
 */

import { type TestVault, type TestVaultOptions, withVault } from "../_test_support.ts";
import { VaultError } from "../errors.ts";
import type { IdentityEngine } from "../identity_engine.ts";
import { type ApiCaller, isRoot } from "./caller.ts";
import type { CreationContext, TokenRequest } from "./creation.ts";
import type { Minted } from "./service_tokens.ts";

/** Where the tests' requests come from. */
export const ADDRESS = "192.0.2.1";

/** The service tokens of a vault under test. */
export class TestTokens {
  constructor(readonly vault: TestVault) {}

  /** The engine as it is now: a restart makes another. */
  get engine(): IdentityEngine {
    return this.vault.vault.engine;
  }

  /** A new root token. */
  async root(): Promise<string> {
    return (await this.engine.rootTokens.make()).token;
  }

  /** Who presents a token. */
  async caller(token: string, address: string = ADDRESS): Promise<ApiCaller> {
    return await this.engine.tokens.authenticate(token, address);
  }

  /** Has a caller make a token, with `sudo` if they are root. */
  async make(by: string, request: TokenRequest = {}, more: Partial<CreationContext> = {}): Promise<Minted> {
    const caller = await this.caller(by);
    const mount = this.engine.mounts.byPath("auth", "token/")!;
    return await this.engine.creation.create(request, {
      caller,
      hasSudo: isRoot(caller),
      path: "auth/token/create",
      isOrphanPath: false,
      mountAccessor: mount.accessor,
      lifetimes: this.engine.mounts.lifetimes(mount),
      policyExists: () => true,
      ...more,
    });
  }

  /** A user with an evt token of ten days whose role has these policies; returns the token. */
  async evt(user: string, ...policies: string[]): Promise<string> {
    const name = `role-of-${user}`;
    await this.vault.vault.roles.create({ name, scope: ["get_bundle"], topK: 1, rateLimit: "1000/1s", policies });
    return await this.vault.issue(user, name, 10);
  }

  /** Which of these tokens would be let in now. */
  async live(...tokens: string[]): Promise<boolean[]> {
    return await Promise.all(tokens.map((token) =>
      this.caller(token).then(() => true, (error) => {
        if (
          error instanceof VaultError && ["token_invalid", "token_expired", "permission_denied"].includes(error.kind)
        ) {
          return false;
        }
        throw error;
      })
    ));
  }
}

/** Opens a vault, hands its tokens to a test, and cleans up whatever happens. */
export async function withTokens(
  use: (it: TestTokens) => Promise<void>,
  options: TestVaultOptions = {},
): Promise<void> {
  await withVault(options, async (vault) => await use(new TestTokens(vault)));
}
