/**
 * Backups: the encrypted file as strangers may have changed it, and the archive inside as whoever knows the key may have
 * made it.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import fc from "fast-check";
import { packTar } from "modern-tar";
import { decryptBackup, encryptBackup } from "../../../server/backup/age.ts";
import { readArchive } from "../../../server/backup/archive.ts";
import { isPartPath, type Manifest } from "../../../server/backup/manifest.ts";
import { anyText, bulkBytes, mutatedBytes } from "../mutations.ts";
import { assertRefusal, must, PLANTED } from "../refusals.ts";
import { asyncTarget, type FuzzTarget } from "../target.ts";

const PARTS: Readonly<Record<string, string>> = {
  "runevault.db": "a store",
  "seal.key": PLANTED.adminToken,
  "tls/ca.pem": "a certificate",
  "keys/vault-key/SecKey.json": "{}",
};

function manifestOf(parts: Readonly<Record<string, string>>): Manifest {
  const named = Object.entries(parts).map(([path, content]) => {
    const bytes = new TextEncoder().encode(content);
    return { path, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  const created_at = "2026-11-28T00:00:00.000Z";
  return { format: 1, program: "0.1.0", created_at, schema: 1, sequence: 9, parts: named };
}

function archiveOf(manifest: unknown, parts: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const entries = [["manifest.json", JSON.stringify(manifest)], ...Object.entries(parts)] as const;
  return packTar(
    entries.map(([name, body]) => ({ header: { name, size: new TextEncoder().encode(body).length }, body })),
  );
}

/** Archives, the first of them whole; the others are what a forger would try. */
const ARCHIVES: readonly Uint8Array[] = await Promise.all([
  archiveOf(manifestOf(PARTS), PARTS),
  archiveOf(manifestOf({ ...PARTS, "../evil": "x" }), { ...PARTS, "../evil": "x" }),
  archiveOf({ ...manifestOf(PARTS), parts: Array(300).fill({ path: "seal.key" }) }, PARTS),
  archiveOf({ ...manifestOf(PARTS), format: 2 }, {}),
  archiveOf(manifestOf(PARTS), {}),
]);

const IDENTITY = await generateX25519Identity();
const SEALED = await sealedOf(ARCHIVES[0]!);

async function sealedOf(archive: Uint8Array): Promise<Uint8Array> {
  const key = { recipients: [await identityToRecipient(IDENTITY)] };
  return await new Response(await encryptBackup(streamOf(archive), key)).bytes();
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new Blob([bytes.slice()]).stream();
}

/** Reads an archive to its end; whatever is wrong with it, only parts of a vault are opened, and whole counts as whole. */
async function readOrRefuse(archive: () => Promise<ReadableStream<Uint8Array>>): Promise<void> {
  const opened = new Map<string, number>();
  try {
    const manifest = await readArchive(await archive(), {
      begin: () => {},
      open: ({ path }) => {
        must(isPartPath(path), `opened ${path}`);
        must(!opened.has(path), `opened ${path} twice`);
        opened.set(path, 0);
        const write = (bytes: Uint8Array) => Promise.resolve(void opened.set(path, opened.get(path)! + bytes.length));
        return Promise.resolve({ write, close: () => Promise.resolve() });
      },
    });
    for (const { path, bytes } of manifest.parts) must(opened.get(path) === bytes, `${path} was accepted in part`);
  } catch (thrown) {
    assertRefusal(thrown, ["invalid_argument", "precondition_failed"]);
  }
}

/** The archive, after decryption. */
export const archiveTarget: FuzzTarget = asyncTarget(
  "backup_archives",
  "bytes",
  fc.oneof(
    { weight: 60, arbitrary: mutatedBytes(fc.constantFrom(...ARCHIVES)) },
    { weight: 10, arbitrary: fc.constantFrom(...ARCHIVES) },
    { weight: 10, arbitrary: anyText(600).map((text) => new TextEncoder().encode(text)) },
    { weight: 1, arbitrary: bulkBytes(100_000, [[0], [0x30, 0x30], [...new TextEncoder().encode("manifest.json\0")]]) },
  ),
  (bytes) => readOrRefuse(() => Promise.resolve(streamOf(bytes))),
);

/** The file, before decryption. */
export const fileTarget: FuzzTarget = asyncTarget(
  "backup_files",
  "bytes",
  fc.oneof(
    { weight: 20, arbitrary: mutatedBytes(fc.constant(SEALED)) },
    { weight: 5, arbitrary: anyText(300).map((text) => new TextEncoder().encode(`age-encryption.org/v1\n${text}`)) },
    { weight: 1, arbitrary: bulkBytes(50_000, [[...new TextEncoder().encode("-> X25519 a\n")], [0x0a]]) },
  ),
  (bytes) => readOrRefuse(() => decryptBackup(streamOf(bytes), { identities: [IDENTITY] })),
);
