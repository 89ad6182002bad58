/**
 * The key bundle: what an agent fetches at its start.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Clock } from "../ports.ts";
import { holdsScope } from "../roles/scope.ts";
import { DEFAULT_KEY_ID } from "../scores/params.ts";
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
export interface BundleSources {
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

/** The most users whose part is kept, about a kilobyte each. */
const MAX_CACHED_PARTS = 20_000;

/** What a bundle holds for its caller alone: JSON text without the opening brace, as UTF-8. */
interface OwnPart {
  readonly role: RoleRecord;
  readonly secretsStamp: number;
  readonly utf8: Buffer;
}

/** What is the same in everybody's bundle, as UTF-8: JSON text with the opening brace and a comma at the end. */
interface SharedPart {
  readonly files: PublicKeyFiles | null;
  readonly opening: Buffer;
  /** The evaluation key, megabytes long; made when it is first asked for. */
  evaluation: Buffer | undefined;
}

/** A bundle's JSON text as UTF-8, in parts to be joined. The large ones are shared: nobody may write to them. */
export type BundleParts = readonly Buffer[];

/**
 * Builds key bundles; a part is made anew only when something in it changed. The FHE keys, a hundred kilobytes and
 * more, are encoded once and kept once, not in each user's bundle.
 */
export class KeyBundles {
  readonly #in: BundleSources;
  readonly #own = new Map<string, OwnPart>();
  #shared: SharedPart | undefined;

  constructor(sources: BundleSources) {
    this.#in = sources;
  }

  /**
   * The bundle without `EvalKey.json`, for `GetAgentManifest`. A role without `get_dek` gets no data key, one without
   * `get_index_key` no index key; that a key first leaves to a user is on disk before it leaves.
   *
   * @throws {VaultError} `storage_failed` when that could not be recorded.
   */
  manifest(caller: Caller): BundleParts | Promise<BundleParts> {
    const { opening } = this.#sharedPart();
    const own = this.#ownPart(caller);
    return own instanceof Promise ? own.then((it) => [opening, it]) : [opening, own];
  }

  /** The bundle with `EvalKey.json`, for `GetPublicKey`; otherwise as {@link manifest}. */
  async bundle(caller: Caller): Promise<BundleParts> {
    const shared = this.#sharedPart();
    const own = await this.#ownPart(caller);
    const evalKeyJson = shared.files?.evalKeyJson;
    if (evalKeyJson === undefined) return [shared.opening, own];
    shared.evaluation ??= sharedUtf8(`{"EvalKey.json":${JSON.stringify(evalKeyJson)},`);
    return [shared.evaluation, shared.opening.subarray(1), own];
  }

  #sharedPart(): SharedPart {
    const files = this.#in.fheKeys();
    if (this.#shared === undefined || this.#shared.files !== files) {
      const encKey = files === null ? {} : { "EncKey.json": files.encKeyJson };
      const json = JSON.stringify({ ...encKey, key_id: files?.keyId ?? DEFAULT_KEY_ID });
      this.#shared = { files, opening: sharedUtf8(`${json.slice(0, -1)},`), evaluation: undefined };
    }
    return this.#shared;
  }

  #ownPart(caller: Caller): Buffer | Promise<Buffer> {
    const known = this.#own.get(caller.agentId);
    const fresh = known !== undefined && known.role === caller.role &&
      known.secretsStamp === this.#in.state.secretsStamp;
    return fresh ? known.utf8 : this.#makeOwnPart(caller);
  }

  async #makeOwnPart(caller: Caller): Promise<Buffer> {
    const basis = { role: caller.role, secretsStamp: this.#in.state.secretsStamp };
    const own = { ...this.#settings(caller.role), ...await this.#dataKeys(caller) };
    await this.#recordLeaving(caller);
    const utf8 = Buffer.from(JSON.stringify(own).slice(1), "utf8");
    if (this.#own.size >= MAX_CACHED_PARTS) this.#own.delete(this.#own.keys().next().value!);
    this.#own.set(caller.agentId, { ...basis, utf8 });
    return utf8;
  }

  #settings(role: RoleRecord): Record<string, unknown> {
    const { indexName, envectorEndpoint, envectorApiKey } = this.#in.settings;
    return {
      ...(indexName === undefined ? {} : { index_name: indexName }),
      ...(envectorEndpoint === undefined ? {} : { envector_endpoint: envectorEndpoint }),
      ...(this.#givesIndexKey(role) ? { envector_api_key: envectorApiKey } : {}),
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

/** In memory that threads share: megabytes that go into many answers are copied to none of them. */
function sharedUtf8(text: string): Buffer {
  const bytes = Buffer.from(new SharedArrayBuffer(Buffer.byteLength(text, "utf8")));
  bytes.write(text, "utf8");
  return bytes;
}
