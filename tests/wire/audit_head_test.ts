/**
 * S24: the head of the trail is told in three places besides the file, so that nobody can cut the file's end off unnoticed.
 *
 * @module
 */

import { strict as assert } from "node:assert";
import { hashOf } from "../../vault/audit/chain.ts";
import { parseLine } from "../../vault/audit/entry.ts";
import { readHead } from "../../vault/audit/stored_head.ts";
import { cleanEnvironment, programCommand, temporaryFolder } from "../started_server.ts";

/** A machine with other work stands still for a while now and then. */
const START_MS = 120_000;

async function metricsAddress(dataDir: string): Promise<string> {
  for (const until = performance.now() + START_MS; performance.now() < until;) {
    try {
      return JSON.parse(await Deno.readTextFile(`${dataDir}/addresses.json`)).metrics;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error("the server has not said where it listens");
}

/** Number and hash of the last line, as a server's metrics tell them. */
async function headInMetrics(address: string): Promise<{ sequence: number; hash: string }> {
  const text = await (await fetch(`http://${address}/metrics`)).text();
  return {
    sequence: Number(/^runevault_audit_sequence (\d+)$/m.exec(text)?.[1]),
    hash: String(/^runevault_audit_head_info\{hash="([0-9a-f]{64})"\} 1$/m.exec(text)?.[1]),
  };
}

Deno.test("S24: the head is in the metrics, in the store and on standard output, which has each line of the file", async () => {
  await using folder = await temporaryFolder();
  const dataDir = folder.path;
  const ports = ["grpc", "api", "admin", "metrics"].flatMap((name) => [`--${name}-addr`, "127.0.0.1:0"]);
  const { command, args } = programCommand(
    ["serve", "--data-dir", dataDir, "--tls", "off", ...ports, "--audit-mirror", "stdout"],
  );
  const surroundings = { env: cleanEnvironment(), clearEnv: true, stdout: "piped", stderr: "null" } as const;
  const server = new Deno.Command(command, { args, ...surroundings }).spawn();
  const printed = new Response(server.stdout).text();
  try {
    const address = await metricsAddress(dataDir);
    const { api } = JSON.parse(await Deno.readTextFile(`${dataDir}/addresses.json`)) as { api: string };
    for (let i = 0; i < 3; i++) await (await fetch(`http://${api}/v1/sys/health`)).body?.cancel();
    const told = await headInMetrics(address);
    const line = (await Deno.readTextFile(`${dataDir}/audit.log`)).split("\n")[told.sequence - 1]!;
    assert.deepEqual(told, { sequence: parseLine(line).seq, hash: hashOf(line) });
  } finally {
    server.kill("SIGTERM");
    await server.status;
  }
  const file = await Deno.readTextFile(`${dataDir}/audit.log`);
  const lines = file.trimEnd().split("\n");
  assert.ok(lines.length >= 3);
  assert.deepEqual(readHead(`${dataDir}/runevault.db`), { sequence: lines.length, hash: hashOf(lines.at(-1)!) });
  assert.equal(await printed, file);
});
