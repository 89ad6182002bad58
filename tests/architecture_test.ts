/**
 * The arrows between the rooms: who may import whom. Read from the module graph, so that no import escapes.
 *
 * @module
 */

import { strict as assert } from "node:assert";

const ROOT = new URL("../", import.meta.url).href;

/** Each room with the rooms that it may import besides itself. The first prefix that matches a file is its room. */
const ARROWS: readonly (readonly [room: string, mayImport: readonly string[]])[] = [
  ["vault/", []],
  ["proto/gen/", []],
  ["listeners/", []],
  ["databases/", ["vault/database/ports.ts"]],
  ["version.ts", []],
  ["server/data_dir.ts", []],
  ["server/config_options.ts", []],
  ["server/tls/", ["vault/"]],
  ["server/grpc/", ["vault/", "proto/gen/"]],
  ["server/", ["vault/", "proto/gen/", "admin/", "listeners/", "databases/", "version.ts", "server/"]],
  ["admin/client.ts", ["vault/errors.ts", "admin/"]],
  ["admin/", ["vault/", "listeners/"]],
  ["cli/commands/serve.ts", ["cli/", "server/daemon.ts", "server/config_options.ts", "vault/errors.ts"]],
  ["cli/commands/backup.ts", ["cli/", "admin/client.ts", "admin/wire.ts", "vault/errors.ts", "server/backup/mod.ts"]],
  ["cli/commands/doctor.ts", ["cli/", "vault/errors.ts", "server/maintenance/mod.ts"]],
  ["cli/commands/import.ts", [
    "cli/",
    "admin/client.ts",
    "admin/wire.ts",
    "vault/errors.ts",
    "server/maintenance/mod.ts",
    "server/offline.ts",
  ]],
  ["cli/commands/tls.ts", ["cli/", "admin/wire.ts", "vault/errors.ts", "server/maintenance/mod.ts"]],
  ["cli/commands/audit_verify.ts", [
    "cli/",
    "admin/client.ts",
    "admin/wire.ts",
    "vault/errors.ts",
    "server/offline_audit.ts",
  ]],
  ["cli/session.ts", ["cli/", "admin/client.ts", "vault/errors.ts", "server/data_dir.ts", "server/offline.ts"]],
  ["cli/", [
    "admin/client.ts",
    "admin/wire.ts",
    "vault/errors.ts",
    "server/data_dir.ts",
    "server/config_options.ts",
    "version.ts",
  ]],
  ["main.ts", ["cli/mod.ts"]],
];

/** Files that everybody may import: they import nothing themselves. */
const OPEN_TO_ALL = ["vault/errors.ts", "vault/ports.ts"];

interface Graph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { specifier?: string };
      readonly type?: { specifier?: string };
    }[];
  }[];
}

async function moduleGraph(entry: string): Promise<Graph> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    stdout: "piped",
  });
  const { code, stdout } = await command.output();
  assert.equal(code, 0);
  return JSON.parse(new TextDecoder().decode(stdout)) as Graph;
}

/** Every import of the program, as pairs of paths below the root. */
async function imports(): Promise<[from: string, to: string][]> {
  const pairs: [string, string][] = [];
  const graph = await moduleGraph(new URL("main.ts", ROOT).href);
  for (const { specifier, dependencies } of graph.modules) {
    if (!specifier.startsWith(ROOT)) continue;
    for (const { code, type } of dependencies ?? []) {
      const target = code?.specifier ?? type?.specifier;
      if (target?.startsWith(ROOT)) pairs.push([specifier.slice(ROOT.length), target.slice(ROOT.length)]);
    }
  }
  return pairs;
}

function isAllowed(from: string, to: string): boolean {
  const [room, mayImport] = ARROWS.find(([prefix]) => from.startsWith(prefix)) ?? [undefined, []];
  if (room === undefined) return false;
  return OPEN_TO_ALL.includes(to) || to.startsWith(room) || mayImport.some((prefix) => to.startsWith(prefix));
}

Deno.test("no import goes against the arrows between the rooms", async () => {
  const pairs = await imports();
  assert.ok(pairs.length > 100, "the module graph of main.ts reaches the whole program");
  const against = pairs.filter(([from, to]) => !isAllowed(from, to)).map(([from, to]) => `${from} → ${to}`);
  assert.deepEqual(against, []);
});

Deno.test("the domain reads no environment, prints nothing and opens no listener", async () => {
  const forbidden = /\bDeno\.(env|serve|listen|connect|exit)\b|\bconsole\./;
  const graph = await moduleGraph(new URL("vault/mod.ts", ROOT).href);
  const files = graph.modules.map((module) => module.specifier).filter((one) => one.startsWith(`${ROOT}vault/`));
  assert.ok(files.length > 20);
  for (const file of files) assert.doesNotMatch(await Deno.readTextFile(new URL(file)), forbidden, file);
});

Deno.test("the version stands in one place", async () => {
  const { VERSION } = await import("../version.ts");
  const changelog = await Deno.readTextFile(new URL("../CHANGELOG.md", import.meta.url));
  assert.match(changelog, new RegExp(`^## ${VERSION.replaceAll(".", "\\.")}\\b`, "m"));
});
