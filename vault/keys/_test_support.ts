/**
 * What the tests of keys and envelopes share: vectors, and the services on team secrets of a test's choice.
 *
 * @module
 */

import { MemoryLogger } from "../../tests/fakes/ports.ts";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import type { RandomSource } from "../ports.ts";
import { VaultState } from "../state.ts";
import type { SecretState } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import { putToken } from "../tokens/token_service.ts";
import { AgentKeys } from "./agent_keys.ts";
import { EnvelopeService, type EnvelopeV1Policy } from "./envelope_service.ts";
import { SealKey } from "./seal_key.ts";
import { putSecret, sealSecret } from "./secret_service.ts";
import { TeamSecrets } from "./team_secrets.ts";

/** Reads a file of `tests/vectors/`. */
export function vectors<T>(name: string): T {
  return JSON.parse(Deno.readTextFileSync(new URL(`../../tests/vectors/${name}`, import.meta.url))) as T;
}

/** A team-secret version of a test's choice. */
export interface ChosenSecret {
  readonly version: number;
  readonly bytes: Uint8Array;
  readonly state?: SecretState;
}

/** The services of this room over chosen secrets, without a vault around them. */
export class KeyRoom {
  readonly state = new VaultState();
  readonly random: RandomSource = seededRandom("a key room");
  readonly logger = new MemoryLogger();
  readonly sealKey = new SealKey(new Uint8Array(32).fill(9), this.random);
  readonly secrets = new TeamSecrets(this.state, this.sealKey);
  readonly keys = new AgentKeys(this.secrets);

  constructor(...secrets: readonly ChosenSecret[]) {
    for (const secret of secrets) this.put(secret);
  }

  /** Adds or replaces a version. */
  put({ version, bytes, state = "active" }: ChosenSecret): void {
    this.apply(putSecret({ ...sealSecret(this.sealKey, version, bytes, 0), state }));
  }

  /** Makes a user with one token, of which the given agent id is all that matters. */
  addAgent(name: string, agentId: string, secretVersion = 1): void {
    const user = { entityId: name, name, epoch: 1, disabled: false, createdAt: 0 };
    const tokenHash = agentId + "0".repeat(32);
    const token = { tokenHash, entityId: name, epoch: 1, role: "member", secretVersion, issuedAt: 0, expiresAt: null };
    this.apply({ kind: "user", key: name, value: user }, putToken(token));
  }

  /** The envelope service, with nonces from another source where a test wants so. */
  envelopes(v1Policy: EnvelopeV1Policy = "accept", random = this.random) {
    const { state, secrets, keys, logger } = this;
    return readable(new EnvelopeService({ state, secrets, keys, random, logger, v1Policy }));
  }

  /** Whose rights an opening may use. */
  right(name: string, ownOnly = false) {
    return { user: this.state.userByName(name)!, ownOnly };
  }

  apply(...writes: Write[]): void {
    this.state.apply(writes, this.state.sequence + 1);
  }
}

/** An envelope service whose plaintexts are texts. */
export function readable(service: EnvelopeService) {
  return {
    open: async (...args: Parameters<EnvelopeService["open"]>) => {
      return (await service.open(...args)).map((plaintext) => plaintext.toString("utf8"));
    },
    seal: (...args: Parameters<EnvelopeService["seal"]>) => service.seal(...args),
    rewrap: (...args: Parameters<EnvelopeService["rewrap"]>) => service.rewrap(...args),
  };
}
