/**
 * S24: whoever reads all of a server's memory finds the key of the next line, and of none that was written.
 *
 * @module
 */

import { strict as assert } from "node:assert";
import { nextKey } from "../../vault/audit/chain.ts";
import { parseSeriesKey } from "../../vault/audit/series_key.ts";
import { ServedApi } from "../identity/_served.ts";
import { foundInMemory } from "../process_memory.ts";
import { temporaryFolder } from "../started_server.ts";

/** The key on disk moves on each second; and once more when nothing is written any more. */
const MOVED_ON_MS = 2500;
/** Of how many lines before the next the keys are looked for. */
const LATEST = 6;

async function writeLines(api: ServedApi): Promise<void> {
  const root = await api.rootToken();
  for (let i = 0; i < 20; i++) {
    await api.call("GET", "auth/token/lookup-self", root);
    await api.call("POST", "auth/token/create", root, { ttl: "5m" });
  }
  await new Promise((resolve) => setTimeout(resolve, MOVED_ON_MS));
  // The key that was copied to disk is now one of a line that was written.
  await api.call("GET", "auth/token/lookup-self", root);
}

/** Keys by what they are of, in the ways in which they could lie about. */
async function keysOf(dataDir: string, firstOfStart: number): Promise<Record<string, Uint8Array>> {
  const [log, text] = await Promise.all(["audit.log", "audit.k0"].map((it) => Deno.readTextFile(`${dataDir}/${it}`)));
  const lines = log!.split("\n").length - 1;
  const wanted: Record<string, Uint8Array> = {};
  let { key } = parseSeriesKey(text!);
  for (let line = 1; line <= lines; line++) {
    if (line <= 2 || line > lines - LATEST || (line >= firstOfStart && line < firstOfStart + 2)) {
      wanted[`line ${line}`] = key;
      wanted[`line ${line}, hex`] = new TextEncoder().encode(key.toHex());
      wanted[`line ${line}, in an HMAC`] = key.map((byte) => byte ^ 0x36);
    }
    key = nextKey(key);
  }
  return { ...wanted, "the next line": key };
}

for (const start of ["first", "second"]) {
  Deno.test({
    name:
      `S24: after the ${start} start a server's memory holds no key of any line that was written, only the next one's`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      await using folder = await temporaryFolder();
      let firstOfStart = 1;
      if (start === "second") {
        await using before = await ServedApi.start({ dataDir: folder.path });
        await writeLines(before);
      }
      if (start === "second") firstOfStart = (await Deno.readTextFile(`${folder.path}/audit.log`)).split("\n").length;
      await using api = await ServedApi.start({ dataDir: folder.path });
      await writeLines(api);
      const keys = await keysOf(folder.path, firstOfStart);
      assert.deepEqual([...foundInMemory(api.server.pid, keys)], ["the next line"]);
    },
  });
}
