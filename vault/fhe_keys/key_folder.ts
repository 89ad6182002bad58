/**
 * The folder of a key set: `EncKey.json` and `EvalKey.json` as they are, `SecKey.json` sealed; written once, never over
 * another.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { SealKey } from "../keys/seal_key.ts";
import { KEY_FORMATS, type KeySetFiles } from "../scores/mod.ts";
import { makePrivateFolder, syncFolder, writeNewPrivateFile } from "../storage/private_files.ts";

const SEC = KEY_FORMATS.seckey.fileName;
const ENC = KEY_FORMATS.enckey.fileName;
const EVAL = KEY_FORMATS.evalkey.fileName;

/** A sealed `SecKey.json` on disk: it names what it is, for people and for readers that expect the plain file. */
interface SealedSecretKey {
  readonly format: "runevault-sealed-seckey";
  readonly kid: string;
  readonly sealed: string;
}

/** The folders of all key sets, below `<data>/keys`. */
export class KeyFolders {
  readonly #root: string;
  readonly #sealKey: SealKey;

  constructor(root: string, sealKey: SealKey) {
    this.#root = root;
    this.#sealKey = sealKey;
  }

  /** Where a key set lies. */
  path(keyId: string): string {
    return `${this.#root}/${keyId}`;
  }

  /**
   * Writes a key set; when it resolves, all of it is durable.
   *
   * The files go into a folder of another name first: a key id's folder is whole or isn't there.
   *
   * @throws {VaultError} `already_exists` when there is such a folder; nothing in it was touched.
   */
  async write(keyId: string, files: KeySetFiles): Promise<void> {
    await makePrivateFolder(this.#root);
    await this.#assertFree(keyId);
    const temporary = `${this.#root}/.new-${crypto.randomUUID()}`;
    await makePrivateFolder(temporary);
    try {
      for (const [name, text] of this.#texts(keyId, files)) {
        await writeNewPrivateFile(`${temporary}/${name}`, new TextEncoder().encode(text));
      }
      await Deno.rename(temporary, this.path(keyId));
    } catch (error) {
      await Deno.remove(temporary, { recursive: true });
      throw error;
    }
    await syncFolder(this.#root);
  }

  /**
   * Reads a key set with its secret key opened.
   *
   * @throws {VaultError} `config_invalid` for a file that is missing or doesn't open.
   */
  async read(keyId: string): Promise<KeySetFiles> {
    const folder = this.path(keyId);
    const secKeyJson = this.#open(keyId, await readText(`${folder}/${SEC}`));
    const encKeyJson = await readText(`${folder}/${ENC}`);
    const evalKeyJson = await readTextIfThere(`${folder}/${EVAL}`);
    return { secKeyJson, encKeyJson, ...(evalKeyJson === undefined ? {} : { evalKeyJson }) };
  }

  /** Removes a key set that was written and never came into force. */
  async remove(keyId: string): Promise<void> {
    await Deno.remove(this.path(keyId), { recursive: true });
  }

  *#texts(keyId: string, { secKeyJson, encKeyJson, evalKeyJson }: KeySetFiles): Iterable<[string, string]> {
    const sealed = this.#sealKey.seal(identityOf(keyId), new TextEncoder().encode(secKeyJson));
    const wrapped: SealedSecretKey = { format: "runevault-sealed-seckey", kid: keyId, sealed };
    yield [SEC, JSON.stringify(wrapped)];
    yield [ENC, encKeyJson];
    if (evalKeyJson !== undefined) yield [EVAL, evalKeyJson];
  }

  #open(keyId: string, text: string): string {
    const path = `${this.path(keyId)}/${SEC}`;
    try {
      const { sealed } = JSON.parse(text) as SealedSecretKey;
      return new TextDecoder().decode(this.#sealKey.open(identityOf(keyId), sealed));
    } catch (cause) {
      throw new VaultError("config_invalid", `${path} is not the sealed key that this vault wrote`, {
        hint: "put it back from a backup, or import the key set again under another id",
        cause,
      });
    }
  }

  async #assertFree(keyId: string): Promise<void> {
    try {
      await Deno.lstat(this.path(keyId));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    throw new VaultError("already_exists", `There is a folder ${this.path(keyId)} already`, {
      hint: "key files are never overwritten: give another key id",
    });
  }
}

function identityOf(keyId: string): string {
  return `fhe_key/${keyId}`;
}

async function readText(path: string): Promise<string> {
  const text = await readTextIfThere(path);
  if (text !== undefined) return text;
  throw new VaultError("config_invalid", `${path} is missing`, { hint: "put it back from a backup" });
}

async function readTextIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
