/**
 * Writes `tests/schema/<version>.json`: a filled vault's store as this version of the program leaves it. To be run once
 * for each version of the schema, before its release; later versions must open what it wrote.
 *
 * @module
 */

import { VERSION } from "../../version.ts";
import { fillVault } from "../filled_vault.ts";
import { ServedApi } from "../identity/_served.ts";
import { temporaryFolder } from "../started_server.ts";
import { takeApart } from "./_stored.ts";

await using folder = await temporaryFolder();
const api = await ServedApi.start({ dataDir: folder.path });
const facts = await fillVault(api);
await api[Symbol.asyncDispose]();
const stored = await takeApart(folder.path, VERSION, facts);
const path = new URL(`./${stored.schema}.json`, import.meta.url);
await Deno.writeTextFile(path, `${JSON.stringify(stored, null, 1)}\n`, { createNew: true });
