/**
 * What several tests of this room need: the recorded vectors, and how a refusal looks.
 *
 * @module
 */

import { VaultError, type VaultErrorKind } from "../errors.ts";
import { readSecretKeyFile } from "./key_files.ts";
import type { OpeningKey } from "./score_opener.ts";

function vectorUrl(name: string): URL {
  return new URL(`../../tests/vectors/fhe/${name}`, import.meta.url);
}

/** A recorded file's text. */
export function vectorText(name: string): string {
  return Deno.readTextFileSync(vectorUrl(name)).trim();
}

/** A recorded file's bytes. */
export function vectorBytes(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(vectorUrl(name));
}

/** A recorded JSON file. */
export function vectorJson<T>(name: string): T {
  return JSON.parse(vectorText(name));
}

/** The recorded secret key, for an index of the recorded dimension. */
export function vectorKey(): OpeningKey {
  return { coefficients: readSecretKeyFile(vectorText("SecKey.json")).secretKey.coefficients(), dimension: 1024 };
}

/** Matches a VaultError of one kind whose message matches. */
export function refused(kind: VaultErrorKind, message: RegExp = /./): (thrown: unknown) => boolean {
  return (thrown) => {
    if (thrown instanceof VaultError && thrown.kind === kind && message.test(thrown.message)) return true;
    throw thrown;
  };
}
