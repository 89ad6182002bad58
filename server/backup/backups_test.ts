import { deepEqual, match } from "node:assert/strict";
import { FakeClock, MemoryLogger } from "../../tests/fakes/ports.ts";
import { soon } from "../../tests/soon.ts";
import { SqliteStore } from "../../vault/storage/sqlite_store.ts";
import { Backups } from "./backups.ts";

/** Backups of a folder with an empty store, whose copies wait for `waitMs`. */
async function withBackups(waitMs: number, use: (it: Backups, dataDir: string, logger: MemoryLogger) => Promise<void>) {
  const dataDir = await Deno.makeTempDir({ prefix: "runevault-backups-" });
  const store = new SqliteStore(`${dataDir}/runevault.db`, (reason) => {
    throw new Error(reason);
  });
  await Deno.writeFile(`${dataDir}/seal.key`, new Uint8Array(32), { mode: 0o600 });
  const [rolesFile, tokensFile] = [`${dataDir}/vault-roles.yml`, `${dataDir}/vault-tokens.yml`];
  const rest = { rolesFile, tokensFile, auditFile: null, configPath: null, clock: new FakeClock(0) };
  const logger = new MemoryLogger();
  const backups = new Backups({ dataDir, sealKeyFile: `${dataDir}/seal.key`, ...rest }, logger, waitMs);
  try {
    await use(backups, dataDir, logger);
  } finally {
    await backups.close();
    await store.close();
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function copiesIn(dataDir: string): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(dataDir), ({ name }) => name);
  return names.filter((name) => name.startsWith(".backup-"));
}

async function isMovedAway(dataDir: string): Promise<boolean> {
  const [name] = await copiesIn(dataDir);
  if (name === undefined) return false;
  return await Deno.rename(`${dataDir}/${name}`, `${dataDir}/gone`).then(() => true, () => false);
}

/** Takes a copy as soon as there is none any more. */
function take(backups: Backups): Promise<void> {
  return until(() => backups.take({ formerAudit: false }).then(() => true, () => false));
}

/** Waits for something to be so. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const look = async () => {
    while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await soon(look());
}

Deno.test("Backups: a copy that nobody fetched goes, and the next may be taken", async () => {
  await withBackups(20, async (backups, dataDir, logger) => {
    await take(backups);
    await until(async () => (await copiesIn(dataDir)).length === 0);
    await take(backups);
    deepEqual(logger.names(), []);
  });
});

Deno.test("Backups: a copy that somebody removed meanwhile is said, ends nothing, and the next may be taken", async () => {
  await withBackups(500, async (backups, dataDir, logger) => {
    await take(backups);
    // On a busy machine the wait may end first: then another copy is taken.
    while (!await isMovedAway(dataDir)) await take(backups);
    await until(() => logger.events.length > 0);
    deepEqual(logger.names(), ["backup_copy_not_removed"]);
    match(String(logger.events[0]!.fields["reason"]), /No such file/);
    await take(backups);
  });
});
