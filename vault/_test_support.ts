/**
 * What the domain's tests share: a vault opened on fakes and on real YAML files in a folder of its own.
 *
 * @module
 */

import { MemoryDisk, MemoryStore } from "../tests/fakes/memory_store.ts";
import { FakeClock, MemoryLogger } from "../tests/fakes/ports.ts";
import { seededRandom } from "../tests/fakes/seeded_random.ts";
import { VaultError, type VaultErrorKind } from "./errors.ts";
import type { EnvelopeService, OpenRight } from "./keys/envelope_service.ts";
import { SealKey } from "./keys/seal_key.ts";
import { VaultState } from "./state.ts";
import type { Caller } from "./tokens/authenticator.ts";
import { Vault, type VaultOptions } from "./vault.ts";
import { ownNow } from "../tests/own_time.ts";

/** 2026-03-20T10:00:00Z, when the tests' clocks begin. */
export const NOW = Date.UTC(2026, 2, 20, 10);

/** The team secret that tests supply, where one matters. */
export const TEAM_SECRET = "correct horse battery staple";

/** What may be chosen about a test's vault. */
export interface TestVaultOptions extends Partial<Omit<VaultOptions, "suppliedSecret">> {
  readonly suppliedSecret?: string;
  /** Text of the YAML files before the first start. */
  readonly roles?: string | Uint8Array;
  readonly tokens?: string | Uint8Array;
}

/** A vault with everything around it in a test's hands. */
export class TestVault {
  readonly clock = new FakeClock(NOW);
  readonly random = seededRandom("a vault under test");
  readonly logger = new MemoryLogger();
  readonly disk = new MemoryDisk();
  sealKey = new SealKey(new Uint8Array(32).fill(7), this.random);
  store!: MemoryStore;
  vault!: Vault;
  #options: TestVaultOptions = {};
  #isOpen = false;

  constructor(readonly folder: string) {}

  get rolesPath(): string {
    return `${this.folder}/vault-roles.yml`;
  }

  get tokensPath(): string {
    return `${this.folder}/vault-tokens.yml`;
  }

  /** Opens the vault on its disk, as a start of the process does. */
  async open(options: TestVaultOptions = this.#options): Promise<void> {
    const { suppliedSecret, roles, tokens, ...rest } = this.#options = options;
    if (roles !== undefined) await writeFile(this.rolesPath, roles);
    if (tokens !== undefined) await writeFile(this.tokensPath, tokens);
    this.store = new MemoryStore(this.disk);
    const store = rest.store ?? this.store;
    this.vault = await Vault.open({
      store,
      state: await VaultState.load(store),
      sealKey: this.sealKey,
      suppliedSecret: suppliedSecret === undefined ? undefined : new TextEncoder().encode(suppliedSecret),
      legacyTokens: [],
      clock: this.clock,
      random: this.random,
      logger: this.logger,
      envelopeV1: "accept",
      clientSettings: {},
      keysFolder: `${this.folder}/keys`,
      fallbackDimension: undefined,
      scoreThreads: 1,
      passwordThreads: 2,
      rolesPath: this.rolesPath,
      tokensPath: this.tokensPath,
      ...rest,
    });
    this.#isOpen = true;
  }

  /** Stops as the process does when it is told to. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.vault.close();
  }

  /** Stops as the process does when it is killed: nothing more is written. */
  async kill(): Promise<void> {
    this.#isOpen = false;
    await this.store.close();
    this.vault.engine.close();
    this.vault.keyRing.close();
    await this.vault.files.abandon();
  }

  /** Kills the vault and starts it again; the YAML texts of the first start are not put back. */
  async restart(options: TestVaultOptions = {}): Promise<void> {
    if (this.#isOpen) await this.kill();
    const { roles: _roles, tokens: _tokens, ...before } = this.#options;
    await this.open({ ...before, ...options });
  }

  /** Issues a token and returns it. */
  async issue(user: string, role = "member", expiresDays?: number): Promise<string> {
    const days = expiresDays === undefined ? {} : { expiresDays };
    return (await this.vault.tokens.issue({ user, role, ...days })).token;
  }

  /** Who holds a token. */
  identify(token: string): Caller {
    return this.vault.authenticator.identify(token);
  }

  /** Whether a token works at this moment. */
  works(token: string): boolean {
    try {
      this.identify(token);
      return true;
    } catch (error) {
      if (error instanceof VaultError && (error.kind === "token_invalid" || error.kind === "token_expired")) {
        return false;
      }
      throw error;
    }
  }

  /** Writes what is behind, and returns the text of the tokens file. */
  async tokensFile(): Promise<string> {
    await this.vault.files.flush();
    return await Deno.readTextFile(this.tokensPath);
  }

  /** Writes what is behind, and returns the text of the roles file. */
  async rolesFile(): Promise<string> {
    await this.vault.files.flush();
    return await Deno.readTextFile(this.rolesPath);
  }

  /** How one of the files stands. */
  status(name: "roles" | "tokens") {
    return this.vault.files.status().find((status) => status.name === name)!;
  }
}

/** Opens a vault, hands it to a test, and cleans up whatever happens. */
export async function withVault(options: TestVaultOptions, use: (it: TestVault) => Promise<void>): Promise<void> {
  await withClosedVault(async (it) => {
    await it.open(options);
    await use(it);
  });
}

/** As {@link withVault}, for tests of the opening itself. */
export async function withClosedVault(use: (it: TestVault) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "runevault-test-" });
  const it = new TestVault(folder);
  try {
    await use(it);
  } finally {
    await it.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** A check for `assert.rejects` and `assert.throws`: the kind, and what the message or the data must be like. */
export function refused(kind: VaultErrorKind, message = /./, data: Readonly<Record<string, unknown>> = {}) {
  return (error: unknown): boolean => {
    if (!(error instanceof VaultError) || error.kind !== kind || !message.test(error.message)) return false;
    return Object.entries(data).every(([key, value]) => error.data[key] === value);
  };
}

/** Opens envelopes and reads the plaintexts. */
export async function openedTexts(
  envelopes: EnvelopeService,
  batch: readonly string[],
  right: OpenRight,
): Promise<string[]> {
  return (await envelopes.open(batch, right)).map((plaintext) => plaintext.toString("utf8"));
}

/** Shows a measured figure, whether or not the test that measured it passes. */
export function report(figure: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`    ${figure}\n`));
}

/**
 * The least of several measured pauses, the first below `enough` being good enough: other work on the machine only ever
 * makes a pause longer, so one short one shows what the program itself needs.
 */
export async function leastPause(enough: number, work: () => Promise<unknown>): Promise<number> {
  let least = Infinity;
  for (let attempt = 0; attempt < 8 && least >= enough; attempt++) {
    least = Math.min(least, (await longestPause(work)).pauseMs);
  }
  return least;
}

/** How long the event loop was held up at most while `work` ran, in milliseconds, beside the work's result. */
export async function longestPause<T>(work: () => Promise<T>): Promise<{ pauseMs: number; result: T }> {
  let pauseMs = 0;
  let last = ownNow();
  const sample = () => {
    const now = ownNow();
    pauseMs = Math.max(pauseMs, now - last);
    last = now;
  };
  // A turn of the event loop that gets its chance in every round of it.
  let running = true;
  const loop = (): void => {
    sample();
    if (running) setTimeout(loop, 0);
  };
  loop();
  try {
    const result = await work();
    sample();
    return { pauseMs, result };
  } finally {
    running = false;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function writeFile(path: string, content: string | Uint8Array): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  await Deno.writeFile(path, bytes, { mode: 0o600 });
}
