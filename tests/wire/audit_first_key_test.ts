/**
 * The trail's first key, encrypted to whoever takes it away.
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { Decrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { VaultClient } from "../clients.ts";
import { StartedServer } from "../started_server.ts";
import { parseSeriesKey } from "../../vault/audit/series_key.ts";
import { trailFiles } from "../../vault/audit/trail_files.ts";
import { verifyTrail } from "../../vault/audit/verify.ts";

Deno.test("S24: the first key is encrypted to an age recipient, is nowhere in clear, and verifies every line", async () => {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  await using server = await StartedServer.start({ args: ["--audit-key-recipient", recipient] });
  const { dataDir } = server;
  using vault = VaultClient.of(server);
  await vault.manifest("nobody");

  const names = (await Array.fromAsync(Deno.readDir(dataDir))).map(({ name }) => name);
  deepEqual(names.filter((name) => name.startsWith("audit.k0")), ["audit.k0.age"]);
  equal((await Deno.stat(`${dataDir}/audit.k0.age`)).mode! & 0o777, 0o600);
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  const text = await decrypter.decrypt(await Deno.readFile(`${dataDir}/audit.k0.age`), "text");
  const report = await verifyTrail(await trailFiles(`${dataDir}/audit.log`), { keys: [parseSeriesKey(text)] });
  deepEqual([report.broken, report.checkedKeys], [null, report.lines]);
});

Deno.test("a recipient that is none stops the start before there is a trail", async () => {
  const dataDir = await Deno.makeTempDir();
  try {
    const options = { dataDir, args: ["--audit-key-recipient", "age1nobody"] };
    const { code, log } = await StartedServer.refused(options);
    equal(code, 78);
    match(log, /--audit-key-recipient: "age1nobody" is no age recipient/);
    const names = (await Array.fromAsync(Deno.readDir(dataDir))).map(({ name }) => name);
    deepEqual(names.filter((name) => name.startsWith("audit")), []);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});
