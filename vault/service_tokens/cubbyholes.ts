/**
 * Cubbyholes: what a token keeps for itself, sealed, and gone with it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VaultError } from "../errors.ts";
import type { SealKey } from "../keys/seal_key.ts";
import type { VaultState } from "../state.ts";
import type { CubbyholeRecord } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";
import type { Writer } from "../writer.ts";
import type { ApiCaller } from "./caller.ts";
import { ownerOfCaller } from "./minting.ts";

/** S18: an allowance for notes, not a database. */
const MAX_BYTES_PER_OWNER = 65_536;
const MAX_PATH_LENGTH = 512;

/** What cubbyholes need. */
export interface CubbyholeSurroundings {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly sealKey: SealKey;
}

/** Reads and writes cubbyholes. */
export class Cubbyholes {
  readonly #in: CubbyholeSurroundings;
  readonly #bytesByOwner = new Map<string, number>();
  readonly #pathsByToken = new Map<string, Set<string>>();

  constructor(surroundings: CubbyholeSurroundings) {
    this.#in = surroundings;
    surroundings.state.watch("cubbyhole", (after, before) => {
      if (before !== undefined) this.#count(before, -before.bytes);
      if (after !== undefined) this.#count(after, after.bytes);
      this.#notePath(after ?? before!, after !== undefined);
    });
  }

  /** What lies at a path of a token's hole, as the JSON text that was put there. */
  read(tokenHash: string, path: string): string | undefined {
    const record = this.#in.state.table("cubbyhole").get(holeKey(tokenHash, path));
    if (record === undefined) return undefined;
    return new TextDecoder().decode(this.#in.sealKey.open(identityOf(tokenHash, path), record.sealed));
  }

  /**
   * Puts JSON at a path of the caller's own hole.
   *
   * @throws {VaultError} `rate_limited` past the allowance of the caller's entity, `invalid_argument` for a path too long.
   */
  write(caller: ApiCaller, path: string, json: string): Promise<void> {
    return this.#in.writer.change(() => {
      if (path.length > MAX_PATH_LENGTH) throw new VaultError("invalid_argument", "the path is too long");
      const write = this.#putWrite(caller.tokenHash, ownerOfCaller(caller), path, json);
      const held = this.#in.state.table("cubbyhole").get(write.key)?.bytes ?? 0;
      const owner = ownerOf(write.value);
      this.#assertRoom(owner, write.value.bytes - held);
      return { writes: [write], result: () => {} };
    });
  }

  /** Takes away what lies at a path; absent: nothing. */
  delete(tokenHash: string, path: string): Promise<void> {
    const key = holeKey(tokenHash, path);
    return this.#in.writer.change(() => ({
      writes: this.#in.state.table("cubbyhole").has(key) ? [{ kind: "cubbyhole", key }] : [],
      result: () => {},
    }));
  }

  /** Names one level below a path (with its slash, or empty); folders end in a slash. */
  list(tokenHash: string, prefix: string): string[] {
    const below = [...this.#pathsByToken.get(tokenHash) ?? []].filter((path) => path.startsWith(prefix));
    const names = below.map((path) => {
      const rest = path.slice(prefix.length);
      const slash = rest.indexOf("/");
      return slash === -1 ? rest : rest.slice(0, slash + 1);
    });
    return [...new Set(names)].sort();
  }

  /**
   * The write that puts JSON into another's hole on an entity's allowance, in the writer's turn.
   *
   * @throws {VaultError} `rate_limited`.
   */
  planWrite(
    tokenHash: string,
    entityId: string,
    path: string,
    json: string,
  ): Write & { readonly kind: "cubbyhole"; readonly value: CubbyholeRecord } {
    const write = this.#putWrite(tokenHash, entityId, path, json);
    if (entityId !== "") this.#assertRoom(entityId, write.value.bytes);
    return write;
  }

  #assertRoom(owner: string, more: number): void {
    if ((this.#bytesByOwner.get(owner) ?? 0) + more <= MAX_BYTES_PER_OWNER) return;
    throw new VaultError("rate_limited", `cubbyholes and wrapped answers hold ${MAX_BYTES_PER_OWNER} bytes at most`);
  }

  #putWrite(
    tokenHash: string,
    entityId: string,
    path: string,
    json: string,
  ): Write & { readonly kind: "cubbyhole"; readonly value: CubbyholeRecord } {
    const bytes = Buffer.from(json);
    const sealed = this.#in.sealKey.seal(identityOf(tokenHash, path), bytes);
    const value = { tokenHash, entityId, path, bytes: bytes.length + path.length, sealed };
    return { kind: "cubbyhole", key: holeKey(tokenHash, path), value };
  }

  #count(record: CubbyholeRecord, by: number): void {
    const owner = ownerOf(record);
    const sum = (this.#bytesByOwner.get(owner) ?? 0) + by;
    if (sum === 0) this.#bytesByOwner.delete(owner);
    else this.#bytesByOwner.set(owner, sum);
  }

  #notePath({ tokenHash, path }: CubbyholeRecord, isThere: boolean): void {
    const paths = this.#pathsByToken.get(tokenHash) ?? new Set();
    if (isThere) paths.add(path);
    else paths.delete(path);
    if (paths.size === 0) this.#pathsByToken.delete(tokenHash);
    else this.#pathsByToken.set(tokenHash, paths);
  }
}

function holeKey(tokenHash: string, path: string): string {
  return `${tokenHash}/${path}`;
}

function identityOf(tokenHash: string, path: string): string {
  return `cubbyhole/${tokenHash}/${path}`;
}

function ownerOf({ entityId, tokenHash }: CubbyholeRecord): string {
  return entityId === "" ? `token ${tokenHash}` : entityId;
}
