/**
 * What a vault that starts from nothing is given.
 *
 * @module
 */

import { type Vault, VaultError } from "../vault/mod.ts";
import { writeNewPrivateFile } from "../vault/storage/private_files.ts";
import type { Config } from "./config.ts";

/** `--fhe-dim`: makes the FHE key set of a vault that has none, and says how far it is. */
export async function makeFirstKeys(
  { keyRing }: Vault,
  { fheDim }: Config,
  say: (line: string) => void,
): Promise<void> {
  if (fheDim === undefined || keyRing.active !== null) return;
  say(`making the FHE key set of dimension ${fheDim}`);
  let shown = 0;
  const onProgress = (done: number, total: number) => {
    const percent = Math.floor(done * 10 / total) * 10;
    if (percent > shown) say(`FHE keys: ${shown = percent} %`);
  };
  await keyRing.generate({ dimension: fheDim }, { onProgress });
}

/**
 * `--root-token-file`: makes the token of a first start and writes it there.
 *
 * @throws {VaultError} `config_invalid` where the file can't be written.
 */
export async function makeRootToken({ engine }: Vault, path: string): Promise<void> {
  await engine.rootTokens.make((token) =>
    writeNewPrivateFile(path, new TextEncoder().encode(`${token}\n`)).catch((cause) => {
      throw new VaultError("config_invalid", `The root token can't be written to ${path}`, { cause });
    })
  );
}

/** `--dev`: makes a user of a day; returns the token. */
export async function makeDemoUser({ tokens }: Vault): Promise<string> {
  return (await tokens.issue({ user: "demo", role: "admin", expiresDays: 1 })).token;
}
