/**
 * The key bundle: what an agent fetches at its start.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Clock } from "../ports.ts";
import { holdsScope } from "../roles/scope.ts";
import type { VaultState } from "../state.ts";
import type { RoleRecord } from "../storage/records.ts";
import type { Caller } from "../tokens/authenticator.ts";
import type { LeavingKey, UserService } from "../users/user_service.ts";
import type { AgentKeys } from "./agent_keys.ts";
import type { EnvelopeV1Policy } from "./envelope_service.ts";
import type { TeamSecrets } from "./team_secrets.ts";

/** What the operator configured for clients to find. */
export interface ClientSettings {
  readonly indexName?: string;
  readonly envectorEndpoint?: string;
  /** The shared index key: leaves only to roles with `get_index_key`. */
  readonly envectorApiKey?: string;
}

/** The texts of the FHE key files, where the vault holds a key set. */
export interface PublicKeyFiles {
  readonly keyId: string;
  readonly encKeyJson: string;
  readonly evalKeyJson?: string;
}

/** What the service is made of. */
export interface BundleParts {
  readonly state: VaultState;
  readonly secrets: TeamSecrets;
  readonly keys: AgentKeys;
  readonly users: UserService;
  readonly clock: Clock;
  readonly settings: ClientSettings;
  readonly v1Policy: EnvelopeV1Policy;
  /** The FHE key files in force, or null. */
  readonly fheKeys: () => PublicKeyFiles | null;
}

/** The name that bundles carry where the vault holds no FHE key; Rune-Vault's only one. */
export const DEFAULT_KEY_ID = "vault-key";

const MAX_CACHED_BUNDLES = 20_000;

interface CachedBundle {
  readonly role: RoleRecord;
  readonly files: PublicKeyFiles | null;
  readonly secretsStamp: number;
  readonly json: string;
}

/** Builds key bundles as JSON text; a bundle is rebuilt only when something in it changed. */
export class KeyBundles {
  readonly #in: BundleParts;
  readonly #cache = new Map<string, CachedBundle>();
  #evaluation: { files: PublicKeyFiles; part: Buffer } | undefined;

  constructor(parts: BundleParts) {
    this.#in = parts;
  }

  /**
   * The bundle without `EvalKey.json`, for `GetAgentManifest`. A role without `get_dek` gets no data key, one without
   * `get_index_key` no index key; that a key first leaves to a user is on disk before it leaves.
   *
   * @throws {VaultError} `storage_failed` when that could not be recorded.
   */
  manifest(caller: Caller): string | Promise<string> {
    const cached = this.#cache.get(caller.agentId);
    const fresh = cached !== undefined && cached.role === caller.role && cached.files === this.#in.fheKeys() &&
      cached.secretsStamp === this.#in.state.secretsStamp;
    return fresh ? cached.json : this.#build(caller);
  }

  /**
   * The bundle with `EvalKey.json`, for `GetPublicKey`, as UTF-8 in parts to be joined: the first, megabytes long, is
   * the same for everybody and made once.
   */
  async bundle(caller: Caller): Promise<readonly Buffer[]> {
    const manifest = await this.manifest(caller);
    const evaluation = this.#evaluationKeyPart();
    return evaluation === null ? [Buffer.from(manifest, "utf8")] : [evaluation, Buffer.from(manifest.slice(1), "utf8")];
  }

  #evaluationKeyPart(): Buffer | null {
    const files = this.#in.fheKeys();
    if (files?.evalKeyJson === undefined) return null;
    if (this.#evaluation?.files !== files) {
      const part = Buffer.from(`{"EvalKey.json":${JSON.stringify(files.evalKeyJson)},`, "utf8");
      this.#evaluation = { files, part };
    }
    return this.#evaluation.part;
  }

  async #build(caller: Caller): Promise<string> {
    const { fheKeys, state } = this.#in;
    const basis = { role: caller.role, files: fheKeys(), secretsStamp: state.secretsStamp };
    const bundle = { ...this.#shared(caller.role), ...await this.#dataKeys(caller) };
    await this.#recordLeaving(caller);
    const json = JSON.stringify(bundle);
    if (this.#cache.size >= MAX_CACHED_BUNDLES) this.#cache.delete(this.#cache.keys().next().value!);
    this.#cache.set(caller.agentId, { ...basis, json });
    return json;
  }

  #shared(role: RoleRecord): Record<string, unknown> {
    const { settings, fheKeys } = this.#in;
    const files = fheKeys();
    return {
      ...(files === null ? {} : { "EncKey.json": files.encKeyJson }),
      key_id: files?.keyId ?? DEFAULT_KEY_ID,
      ...(settings.indexName === undefined ? {} : { index_name: settings.indexName }),
      ...(settings.envectorEndpoint === undefined ? {} : { envector_endpoint: settings.envectorEndpoint }),
      ...(this.#givesIndexKey(role) ? { envector_api_key: settings.envectorApiKey } : {}),
    };
  }

  /**
   * The caller's own data keys. `agent_dek` writes version-1 envelopes and is left out where those would not open
   * again: a client that wrote them would lose its data.
   */
  async #dataKeys({ agentId, token, role }: Caller): Promise<Record<string, unknown>> {
    const { secrets, keys, v1Policy } = this.#in;
    const about = { agent_id: agentId, envelope: 2, key_version: secrets.newest };
    if (!holdsScope(role.scope, "get_dek")) return about;
    const deks: Record<string, string> = {};
    for (const version of secrets.openable) {
      deks[version] = (await keys.derive(agentId, version, 2, true)).toString("base64");
    }
    const issued = token.record.secretVersion;
    if (v1Policy === "refuse" || !secrets.openable.includes(issued)) return { ...about, deks };
    return { ...about, agent_dek: (await keys.derive(agentId, issued, 1, true)).toString("base64"), deks };
  }

  async #recordLeaving({ user, role }: Caller): Promise<void> {
    const leaving: LeavingKey[] = [];
    if (holdsScope(role.scope, "get_dek")) leaving.push("agentKeyLeftAt");
    if (this.#givesIndexKey(role)) leaving.push("indexKeyLeftAt");
    if (leaving.every((key) => user.record[key] !== undefined)) return;
    await this.#in.users.recordLeavingKeys(user, leaving, this.#in.clock.now());
  }

  #givesIndexKey(role: RoleRecord): boolean {
    return this.#in.settings.envectorApiKey !== undefined && holdsScope(role.scope, "get_index_key");
  }
}
