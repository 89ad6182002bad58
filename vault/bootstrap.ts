/**
 * What must hold before a vault may serve: the right seal key, a first version of the team secret, the default roles.
 *
 * @module
 */

import { VaultError } from "./errors.ts";
import type { Document } from "./files/document.ts";
import { planEdit } from "./files/edits.ts";
import type { SealKey } from "./keys/seal_key.ts";
import { putSecret, sealSecret } from "./keys/secret_service.ts";
import { SHORT_SECRET_BYTES, TeamSecrets } from "./keys/team_secrets.ts";
import type { Clock, Logger, RandomSource } from "./ports.ts";
import { DEFAULT_ROLES, putRole } from "./roles/role_service.ts";
import type { VaultState } from "./state.ts";
import type { Write } from "./storage/store.ts";
import { agentIdOf } from "./state.ts";
import { firstUserMark } from "./tokens/token_service.ts";
import { hashToken } from "./tokens/user_token.ts";
import type { Writer } from "./writer.ts";

const FIRST_SECRET_BYTES = 32;
const CHECK_PLAINTEXT = new TextEncoder().encode("runevault");

/** What a start brings along. */
export interface BootstrapInput {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly sealKey: SealKey;
  /** The team secret that the operator supplied, white space stripped; undefined: the store has it, or one is drawn. */
  readonly suppliedSecret: Uint8Array | undefined;
  /** Deprecated shared tokens of an old installation; taken only into a vault that never held a user. */
  readonly legacyTokens: readonly string[];
}

/**
 * Checks the seal key and the supplied secret against the store and makes, in one commit, what is missing.
 *
 * @throws {VaultError} `config_invalid` for another seal key or another team secret than the store's, with both
 *   fingerprints, and for a sealed row that does not open; nothing is written then.
 */
export async function bootstrap(input: BootstrapInput): Promise<void> {
  assertSealOpens(input);
  assertTeamSecret(input);
  await input.writer.change(() => ({
    writes: [...sealCheck(input), ...firstSecret(input), ...defaultRoles(input)],
    result() {},
  }));
  await takeLegacyTokens(input);
}

/** What a seal key is checked against: a vault's state, or what was read of a store that nobody serves. */
export interface Sealed {
  readonly state: Pick<VaultState, "sequence" | "meta" | "secrets">;
  readonly sealKey: SealKey;
}

/**
 * Checks that a seal key is a store's, and that every version of the team secret opens under it.
 *
 * @throws {VaultError} `config_invalid` with both fingerprints, or naming the version that doesn't open.
 */
export function assertSealOpens(sealed: Sealed): void {
  assertSealKey(sealed);
  assertSecretsOpen(sealed);
}

/** Whether a store was ever used; only then must a seal key exist already. */
export function isEmpty(state: Pick<VaultState, "sequence">): boolean {
  return state.sequence === 0;
}

function assertSealKey({ state, sealKey }: Sealed): void {
  const sealed = state.meta.get("seal_check");
  if (sealed === undefined) {
    if (isEmpty(state)) return;
    throw new VaultError("config_invalid", "The store has no check value for its seal key: it is not complete");
  }
  const stored = state.meta.get("seal_fingerprint");
  try {
    sealKey.open("meta/seal_check", String(sealed));
  } catch (cause) {
    const message = `The seal key ${sealKey.fingerprint} is not the store's, which is ${stored}`;
    throw new VaultError("config_invalid", message, {
      hint: "put back the seal.key that belongs to this data folder; without it nothing sealed can be opened",
      cause,
    });
  }
}

/** A row moved or damaged behind our back must not show at the first envelope, with the service long under way. */
function assertSecretsOpen({ state, sealKey }: Sealed): void {
  const secrets = new TeamSecrets(state, sealKey);
  for (const version of state.secrets.keys()) {
    try {
      secrets.reveal(version);
    } catch (cause) {
      throw new VaultError(
        "config_invalid",
        `Version ${version} of the team secret does not open: the store was changed`,
        {
          hint: "restore a backup; nothing was changed",
          cause,
        },
      );
    }
  }
}

function sealCheck({ state, sealKey }: BootstrapInput): Write[] {
  if (state.meta.has("seal_check")) return [];
  return [
    { kind: "meta", key: "seal_check", value: { value: sealKey.seal("meta/seal_check", CHECK_PLAINTEXT) } },
    { kind: "meta", key: "seal_fingerprint", value: { value: sealKey.fingerprint } },
  ];
}

function assertTeamSecret({ state, sealKey, suppliedSecret }: BootstrapInput): void {
  const stored = state.secrets.get(1);
  if (stored === undefined || suppliedSecret === undefined) return;
  const supplied = sealKey.fingerprintOf(suppliedSecret);
  if (supplied === stored.fingerprint) return;
  const message = `The supplied team secret ${supplied} is not the store's version 1, which is ${stored.fingerprint}`;
  throw new VaultError("config_invalid", message, {
    hint: "supply the secret that this store was made with, or none: the store has it",
  });
}

function firstSecret({ state, sealKey, suppliedSecret, clock, random }: BootstrapInput): Write[] {
  if (state.secrets.size > 0) return [];
  const bytes = suppliedSecret ?? random.bytes(FIRST_SECRET_BYTES);
  return [putSecret(sealSecret(sealKey, 1, bytes, clock.now()))];
}

function defaultRoles({ state }: BootstrapInput): Write[] {
  return DEFAULT_ROLES.filter((role) => !state.roles.has(role.name)).map(putRole);
}

async function takeLegacyTokens(input: BootstrapInput): Promise<void> {
  const { state, writer, clock, logger, legacyTokens } = input;
  if (legacyTokens.length === 0) return;
  if (state.meta.has("first_user_at")) {
    logger.log("warn", "legacy_tokens_passed_over", { reason: "this vault already held users" });
    return;
  }
  await writer.change(() => {
    const { writes } = planEdit({ tokens: legacyDocument(legacyTokens) }, input);
    return { writes: [...writes, ...firstUserMark(state, clock)], result() {} };
  });
  logger.log("warn", "legacy_tokens_taken", {
    users: legacyTokens.length,
    hint: "VAULT_TOKENS is deprecated: issue each user a token, then revoke legacy_0 and so on",
  });
}

function legacyDocument(tokens: readonly string[]): Document<"tokens"> {
  const rows = [...new Set(tokens)].map((token, index) => ({
    line: index + 1,
    user: `legacy_${index}`,
    tokenHash: hashToken(token),
    role: "admin",
    issuedAt: null,
    expiresAt: null,
  }));
  return { file: "tokens", path: "VAULT_TOKENS", digest: "", generation: null, rows, warnings: [] };
}

/**
 * Warns in the log of a first team secret that others may know: one that is also a token is known to whoever holds the
 * token, and a short one can be guessed from an envelope. To be called once the files were read, whose tokens count.
 */
export function reportWeakSecret(
  { state, sealKey, logger }: Pick<BootstrapInput, "state" | "sealKey" | "logger">,
): void {
  const secrets = new TeamSecrets(state, sealKey);
  // Later versions are drawn here, and a retired one opens nothing any more.
  if (!secrets.openable.includes(1)) return;
  const secret = secrets.reveal(1);
  const hint = "run `runevault secret rotate`, then `rewrap` what was sealed before, then `secret retire 1`";
  const token = state.tokens.get(agentIdOf(hashToken(new TextDecoder().decode(secret))));
  if (token !== undefined) logger.log("warn", "team_secret_is_a_token", { user: token.user.record.name, hint });
  if (secret.length < SHORT_SECRET_BYTES) {
    logger.log("warn", "team_secret_is_short", { bytes: secret.length, hint });
  }
}
