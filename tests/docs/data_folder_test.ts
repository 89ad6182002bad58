/** docs/storage_schema.md names every file that a vault leaves in its data folder, with its mode. */

import { deepEqual } from "node:assert/strict";
import { AdminHttp } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";

/** Rows of the first table: names that stand in its first column, each with the mode that the second gives it. */
async function rowsOfPage(): Promise<Map<string, string>> {
  const page = await Deno.readTextFile(new URL("../../docs/storage_schema.md", import.meta.url));
  const table = page.slice(page.indexOf("| file |"), page.indexOf("## The database"));
  const rows = new Map<string, string>();
  for (const line of table.split("\n").slice(2)) {
    const [, first = "", second = ""] = line.split("|");
    const names = [...first.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
    for (const name of names) rows.set(name.startsWith("-") ? `${names[0]}${name}` : name, second.slice(2, 5));
  }
  return rows;
}

/** What lies in a folder, as the page calls it, with its mode in octal. What a row says of a folder goes for what is in it. */
async function* foundIn(folder: string, place = ""): AsyncIterable<[name: string, mode: string]> {
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${place}`)) {
    const path = `${place}${name}${isDirectory ? "/" : ""}`;
    if (path === "tls/") yield* foundIn(folder, path);
    else yield [path, ((await Deno.stat(`${folder}/${path}`)).mode! & 0o777).toString(8)];
  }
}

Deno.test("docs/storage_schema.md has a row for every file in the data folder of a vault, with its mode", async () => {
  await using folder = await temporaryFolder();
  const args = ["--tls", "auto", "--fhe-dim", "32"];
  const rows = await rowsOfPage();
  const unlike: string[] = [];
  const look = async () => {
    for await (const [name, mode] of foundIn(folder.path)) {
      if (rows.get(name) !== mode) unlike.push(`${name} ${mode}, on the page ${rows.get(name)}`);
    }
  };
  {
    await using server = await StartedServer.start({ dataDir: folder.path, args });
    using admin = AdminHttp.of(server);
    await admin.issue("alice", "member");
    await look();
  }
  await look();
  deepEqual(unlike, []);
});
