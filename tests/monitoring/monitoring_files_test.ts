/**
 * The dashboard and the alert rules use only what a running server tells: each metric, and each label of it.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { AdminHttp, VaultClient } from "../clients.ts";
import { StartedServer } from "../started_server.ts";
import { missingCommands } from "../install/_programs.ts";

const FOLDER = new URL("../../deploy/monitoring/", import.meta.url);

/** Metrics with the labels that their samples have. */
type Told = ReadonlyMap<string, ReadonlySet<string>>;

/** What a server tells after a little of everything. */
async function told(): Promise<Told> {
  await using server = await StartedServer.start({ args: ["--tls", "auto", "--grpc-addr", "off"] });
  using admin = AdminHttp.of(server);
  await admin.expect("POST", "/users", { user: "alice", password: "pw" });
  using http = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(`${server.dataDir}/tls/ca.pem`)] });
  for (const password of ["pw", "wrong"]) {
    const url = `https://${server.addresses.api}/v1/auth/userpass/login/alice`;
    await (await fetch(url, { method: "POST", body: JSON.stringify({ password }), client: http })).text();
  }
  return namesIn(await (await fetch(`http://${server.addresses.metrics}/metrics`)).text());
}

/** The same of a server with a gRPC port, which the first lacks for its TLS. */
async function toldOfGrpc(): Promise<Told> {
  await using server = await StartedServer.start();
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  await vault.open(await admin.issue("alice"), []);
  await vault.manifest("evt_00000000000000000000000000000000");
  return namesIn(await (await fetch(`http://${server.addresses.metrics}/metrics`)).text());
}

function namesIn(text: string): Told {
  const names = new Map<string, Set<string>>();
  for (const line of text.split("\n")) {
    const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (type === "histogram") {
      for (const suffix of ["_bucket", "_sum", "_count"]) names.set(name + suffix, new Set());
    } else if (name !== undefined) names.set(name, new Set());
    const [, sample, labels] = /^([a-z_]+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    for (const [, label] of labels?.matchAll(/([a-z_]+)="/g) ?? []) names.get(sample!)?.add(label!);
  }
  return names;
}

/** Every metric that an expression names, with the labels that it selects by. */
function namesUsed(expression: string): [name: string, labels: string[]][] {
  return [...expression.matchAll(/\b((?:runevault|vault)_[a-z_]+)(?:\{([^}]*)\})?/g)].map(([, name, selector = ""]) => {
    return [name!, [...selector.matchAll(/([a-z_]+)\s*[=!]~?/g)].map(([, label]) => label!)];
  });
}

/** Collectors add these. */
const OF_COLLECTORS = new Set(["instance", "job"]);

async function expressions(): Promise<string[]> {
  const dashboard = JSON.parse(await Deno.readTextFile(new URL("dashboard.json", FOLDER)));
  const panels = dashboard.panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
    targets.map(({ expr }) => expr)
  );
  const rules = (await Deno.readTextFile(new URL("alerts.yml", FOLDER))).split("\n").filter((line) =>
    !line.includes("summary:")
  );
  return [...panels, dashboard.templating.list[1].definition, rules.join("\n")];
}

Deno.test("dashboard and alert rules name only metrics and labels that a running server tells", async () => {
  const [some, others] = [await told(), await toldOfGrpc()];
  const labelsOf = (name: string) => new Set([...some.get(name) ?? [], ...others.get(name) ?? []]);
  const used = (await expressions()).flatMap(namesUsed);
  ok(used.length > 40);
  deepEqual(
    [...new Set(used.map(([name]) => name))].filter((name) => !some.has(name)),
    [],
    "metrics that aren't there",
  );
  // What has no sample yet, such as requests to databases, has no labels to look at.
  const wrong = used.flatMap(([name, labels]) => {
    const there = labelsOf(name);
    return there.size === 0
      ? []
      : labels.filter((label) => !there.has(label) && !OF_COLLECTORS.has(label)).map((label) => `${name}{${label}}`);
  });
  deepEqual(wrong, []);
});

Deno.test("docs/metrics.md has a row for every metric, and for no other", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/metrics.md", import.meta.url));
  const rows = [...page.matchAll(/^\| `((?:runevault|vault)_[a-z_]+)` \|/gm)].map(([, name]) => name!);
  const bare = [...(await told()).keys()].map((name) => name.replace(/(?<=_seconds)_(bucket|sum|count)$/, ""));
  const [onPage, there] = [new Set(rows), new Set(bare)];
  deepEqual([...onPage.symmetricDifference(there)], []);
});

Deno.test({
  name: "promtool takes the alert rules, and they fire when they should [apt install prometheus]",
  ignore: missingCommands("promtool"),
  fn: async () => {
    for (const args of [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"], ["check", "metrics"]]) {
      const child = new Deno.Command("promtool", {
        args,
        cwd: FOLDER.pathname,
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      if (args[1] === "metrics") await writer.write(Buffer.from(await exposition()));
      await writer.close();
      const { code, stdout, stderr } = await child.output();
      const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      // Names that Rune-Vault gave are kept, whatever a linter thinks of them.
      const own = said.split("\n").filter((line) => !/^(vault_|$)/.test(line));
      if (args[1] === "metrics") deepEqual(own, []);
      else equal(code, 0, said);
    }
  },
});

async function exposition(): Promise<string> {
  await using server = await StartedServer.start();
  return await (await fetch(`http://${server.addresses.metrics}/metrics`)).text();
}
