import { deepEqual, doesNotMatch, equal, match, ok } from "node:assert/strict";
import { type Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { ADMIN_TOKEN, serveApp, type ServedApp } from "../admin/_test_support.ts";
import { fakeToken } from "../tests/fakes/admin_vault.ts";
import { type FakeIo, fakeIo } from "../tests/fakes/io.ts";
import { type CommandPage, commandPages } from "./command_pages.ts";
import { OutputClosed } from "./io.ts";
import { JSON_ANSWERS } from "./json_answers.ts";
import { createProgram, run } from "./mod.ts";

interface CommandLine extends AsyncDisposable {
  readonly app: ServedApp;
  readonly dataDir: string;
  /** Runs a command against the app. */
  (args: string, io?: FakeIo): Promise<{ code: number; stdout: string; stderr: string }>;
}

/** A served app, its data folder, and the command line pointed at both. */
async function commandLine(): Promise<CommandLine> {
  const app = await serveApp();
  const dataDir = await Deno.makeTempDir();
  await Deno.writeTextFile(`${dataDir}/admin.token`, `${ADMIN_TOKEN}\n`, { mode: 0o600 });
  await Deno.writeTextFile(`${dataDir}/addresses.json`, JSON.stringify({ admin: app.listener.address }));
  const dispose = async () => {
    await app.listener.shutdown(1000);
    await Deno.remove(dataDir, { recursive: true });
  };
  const call = (args: string, io = fakeIo()) => runWith(io, ["--data-dir", dataDir, ...split(args)]);
  return Object.assign(call, { app, dataDir, [Symbol.asyncDispose]: dispose });
}

async function runWith(io: FakeIo, args: readonly string[]) {
  const code = await run(args, io);
  return { code, stdout: io.stdout(), stderr: io.stderr() };
}

/** Splits at blanks; the tests' arguments have none inside. */
function split(args: string): string[] {
  return args.split(" ").filter((word) => word !== "");
}

Deno.test("token issue prints user, role, expiry and token once, and the CA to pin", async () => {
  await using cli = await commandLine();
  const { code, stdout, stderr } = await cli("token issue --user alice --role member --expires 90d");
  equal(code, 0);
  match(stdout, /^User: {5}alice\nRole: {5}member\nExpires: {2}2026-06-18\nToken: {4}evt_[0-9a-f]{32}\n$/);
  match(stderr, /not shown again/);
  match(stderr, new RegExp("ab".repeat(32)));
});

Deno.test("token rotate passes the grace in seconds and says until when the old token works", async () => {
  await using cli = await commandLine();
  cli.app.vault.rows.set("alice", fakeToken("alice", 1));
  match((await cli("token rotate --user alice --grace 10m")).stdout, /Old token works until: {2}2026-03-20T10:10:00/);
});

Deno.test("token list and role list print the columns that scripts know", async () => {
  await using cli = await commandLine();
  equal((await cli("token list")).stdout, "USER  ROLE  TOP_K  RATE  EXPIRES\n");
  cli.app.vault.rows.set("alice", fakeToken("alice", 1, 90));
  cli.app.vault.rows.set("bob", fakeToken("bob", 2));
  const lines = (await cli("token list")).stdout.split("\n");
  deepEqual(lines.slice(0, 3).map((line) => line.split(/ +/)), [
    ["USER", "ROLE", "TOP_K", "RATE", "EXPIRES"],
    ["alice", "member", "10", "30/60s", "2026-06-18"],
    ["bob", "member", "10", "30/60s", "never"],
  ]);
  deepEqual((await cli("role list")).stdout.split("\n").map((line) => line.split(/ +/)), [
    ["ROLE", "SCOPE", "TOP_K", "RATE"],
    ["member", "get_public_key,decrypt_scores,decrypt_metadata", "10", "30/60s"],
    [""],
  ]);
});

Deno.test("--json prints the admin API's answer as it is, on one line, wherever the flag stands", async () => {
  await using cli = await commandLine();
  cli.app.vault.rows.set("alice", fakeToken("alice", 1));
  const paths: [string, string][] = [
    ["token list --json", "/tokens"],
    ["--json token show --user alice", "/tokens/alice"],
    ["role --json list", "/roles"],
    ["role show --json --name member", "/roles/member"],
    ["user list --json", "/users"],
    ["user show alice --json", "/users/alice"],
    ["secret list --json", "/secrets"],
    ["file status --json", "/files"],
    ["file diff tokens --json", "/files/tokens/diff"],
    ["status --json", "/status"],
  ];
  for (const [args, path] of paths) {
    const { code, stdout } = await cli(args);
    equal(code, 0, args);
    equal(stdout, `${await (await cli.app.call("GET", path)).text()}\n`, args);
  }
});

Deno.test("every change reaches the route it is for", async () => {
  await using cli = await commandLine();
  const changes = [
    "token issue --user alice --role member",
    "user disable alice",
    "user enable alice",
    "user cutoff alice --reason stolen",
    "user restore alice",
    "operator add carol --scope tokens",
    "operator rotate carol",
    "operator remove carol",
    "token revoke --user alice",
    "role create --name r --scope get_bundle,get_dek --top-k 3 --rate-limit 10/60s",
    "role update --name r --top-k 8",
    "role delete --name r",
    "secret rotate",
    "secret retire 1",
    "file take tokens",
    "file discard roles",
  ];
  for (const args of changes) equal((await cli(args)).code, 0, args);
  deepEqual(cli.app.vault.calls, [
    "issue alice",
    "disable alice",
    "enable alice",
    "cutoff alice stolen",
    "restore alice",
    "operator carol tokens",
    "rotate operator carol",
    "remove operator carol",
    "revoke alice",
    "create r",
    "update r",
    "delete r",
    "rotate secret",
    "retire 1",
    "take tokens",
    "discard roles",
  ]);
});

Deno.test("control characters in names of old users are escaped, in tables and in JSON", async () => {
  await using cli = await commandLine();
  cli.app.vault.rows.set("x", { ...fakeToken("x", 1), user: "\u001b[2J\u009bm\u202ebob\n" });
  for (const args of ["token list", "token list --json", "user list", "user show x", "user show x --json"]) {
    const { stdout } = await cli(args);
    // deno-lint-ignore no-control-regex
    doesNotMatch(stdout.replaceAll("\n", ""), /[\u0000-\u001f\u007f-\u009f\u202e]/, args);
    match(stdout, /\\u001b\[2J\\u009bm\\u202ebob/, args);
  }
  const list = JSON.parse((await cli("token list --json")).stdout);
  equal(list.tokens[0].user, "\u001b[2J\u009bm\u202ebob\n");
});

Deno.test("an error of the server goes to standard error with its hint; exit code 1", async () => {
  await using cli = await commandLine();
  const plain = await cli("token show --user nobody");
  deepEqual(plain, { code: 1, stdout: "", stderr: 'runevault: No user "nobody"\n' });
  const json = await cli("token show --user nobody --json");
  deepEqual([json.code, json.stdout, JSON.parse(json.stderr)], [1, "", {
    error: 'No user "nobody"',
    kind: "not_found",
  }]);
});

Deno.test("a server that isn't running has its own message; exit code 1", async () => {
  const dataDir = await Deno.makeTempDir();
  const { code, stderr } = await runWith(fakeIo({ env: { RUNEVAULT_DATA_DIR: dataDir } }), ["token", "list"]);
  equal(code, 1);
  match(stderr, /^runevault: The server is not running: .*\nhint: start it with `runevault serve`/);
  await Deno.remove(dataDir);
});

Deno.test("a wrong command line ends with 2 and says what would be right", async () => {
  const cases: [string, RegExp][] = [
    ["tokn list", /Unknown command 'tokn'\nhint: did you mean token\?/],
    ["token isue", /Unknown command 'isue'\nhint: did you mean issue\?/],
    ["token list --jsn", /Unknown option '--jsn'\nhint: did you mean --json\?/],
    ["token issue --usr a", /Unknown option '--usr'\nhint: runevault token issue takes --user, --role, --expires/],
    ["token issue --user a", /Required option '--role <role>' not specified\nhint: see `runevault token issue --help`/],
    ["token issue --user a --role b --expires 9x", /"9x" is no length of life/],
    ["token rotate --user a --grace 25h", /"25h" is no time for --grace/],
    ["token list extra", /Too many arguments/],
    ["role update --name a", /Nothing to change/],
    ["role update --name a --top-k x", /"x" is no whole number for --top-k/],
    ["secret retire one", /"one" is no whole number for <version>/],
    ["file take passwd", /Allowed choices are roles, tokens/],
    ["completion tcsh", /Allowed choices are bash, zsh, fish/],
    ["user show", /Missing required argument 'user'/],
    ["token list --admin-addr 127.0.0.1:1 --admin-socket /x", /not both/],
    ["token list --admin-addr example.com:80", /is no admin address of this machine/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await runWith(fakeIo({ env: { HOME: "/nowhere" } }), split(args));
    equal(code, 2, `${args}: ${stderr}`);
    equal(stdout, "");
    match(stderr, message);
    match(stderr, /^runevault: /);
  }
  for (const args of ["", "token", "role"]) {
    const { code, stdout, stderr } = await runWith(fakeIo(), split(args));
    deepEqual([code, stdout], [2, ""]);
    match(stderr, /^Usage: runevault/);
  }
});

Deno.test("a numeric bound is the server's business: a negative top_k reaches it", async () => {
  await using cli = await commandLine();
  const { code } = await cli("role update --name member --top-k -1");
  equal(code, 0);
  deepEqual(cli.app.vault.calls, ["update member"]);
});

Deno.test("every command says in its help what it does, with an example", async () => {
  const leaves = leafCommands(createProgram({ io: fakeIo(), exitCode: 0 }, { out: "", err: "" }));
  ok(leaves.length >= 25, String(leaves.length));
  for (const path of leaves) {
    const { code, stdout } = await runWith(fakeIo(), [...path, "--help"]);
    equal(code, 0, path.join(" "));
    match(stdout, new RegExp(`^Usage: runevault ${path.join(" ")} .*\n\n[A-Z].*\\.\n`), path.join(" "));
    match(stdout, new RegExp(`\nExamples:\n(.*\n)*.*${path.at(-1)}`), path.join(" "));
    doesNotMatch(stdout, /default: (\[\]|\{\})|repeatable|several times/, path.join(" "));
  }
});

Deno.test("every group of commands shows examples too, and the program itself", async () => {
  const program = createProgram({ io: fakeIo(), exitCode: 0 }, { out: "", err: "" });
  const groups = commandPages(program).filter(({ isGroup }) => isGroup);
  ok(groups.length >= 10, String(groups.length));
  for (const { path } of groups) {
    const { code, stdout } = await runWith(fakeIo(), [...path, "--help"]);
    equal(code, 0, path.join(" "));
    match(stdout, new RegExp(`^Usage: ${["runevault", ...path].join(" ")} .*\n\n[A-Z].*\\.\n`), path.join(" "));
    match(stdout, new RegExp(`\nExamples:\n(  runevault ${path.join(" ")}.*\n)+`), path.join(" "));
  }
});

Deno.test("what every command prints with --json is written down, and nothing else is", () => {
  const program = createProgram({ io: fakeIo(), exitCode: 0 }, { out: "", err: "" });
  const commands = commandPages(program).filter(({ isGroup }) => !isGroup).map(({ path }) => path.join(" "));
  deepEqual([...new Set(Object.keys(JSON_ANSWERS)).symmetricDifference(new Set(commands))], []);
});

Deno.test("examples are commands that there are, with flags that they have", () => {
  const program = createProgram({ io: fakeIo(), exitCode: 0 }, { out: "", err: "" });
  const pages = commandPages(program);
  for (const example of new Set(pages.flatMap(({ examples }) => examples))) {
    const words = split(/runevault (?!\))(.*)/.exec(example)?.[1]?.split(/ [<>|] /)[0] ?? "");
    // A group's own option may stand before its member's name.
    const bare = words.filter((word, i) => word !== "--mount" && words[i - 1] !== "--mount");
    const lineage = pages.filter(({ path }) => path.every((word, i) => bare[i] === word));
    const page = lineage.at(-1)!;
    ok(page.path.length > 0 && !page.isGroup, example);
    const flags = words.filter((word) => word.startsWith("--")).map((word) => word.split("=")[0]!);
    deepEqual(flags.filter((flag) => !lineage.flatMap(flagsOf).includes(flag)), [], example);
  }
});

function flagsOf({ options }: CommandPage): string[] {
  return options.flatMap(({ term }) => term.match(/--[a-z0-9-]+/g) ?? []);
}

function leafCommands(command: CommandUnknownOpts | Command, path: readonly string[] = []): string[][] {
  const subs = command.commands.filter((sub) => sub.name() !== "complete");
  if (subs.length === 0) return [[...path]];
  return subs.flatMap((sub) => leafCommands(sub, [...path, sub.name()]));
}

Deno.test("version asks no server, and --json makes it JSON", async () => {
  match((await runWith(fakeIo(), ["version"])).stdout, /^runevault [0-9.]+ \(deno [0-9.]+\)\n$/);
  match((await runWith(fakeIo(), ["--version"])).stdout, /^runevault [0-9.]+\n$/);
  match((await runWith(fakeIo(), ["--json", "--version"])).stdout, /^runevault [0-9.]+\n$/);
  const { version, runtime } = JSON.parse((await runWith(fakeIo(), ["version", "--json"])).stdout);
  match(`${version} ${runtime}`, /^[0-9.]+ deno [0-9.]+$/);
});

Deno.test("--version beside a command is refused: it would leave the command undone, and say that all is well", async () => {
  for (const flag of ["--version", "-V"]) {
    const { code, stdout, stderr } = await runWith(fakeIo(), ["secret", "retire", flag, "1"]);
    deepEqual([code, stdout], [2, ""]);
    match(stderr, /'--version' prints the version of the program.*\nhint: .*runevault secret retire --help/);
  }
});

Deno.test("rewrap sends envelopes in batches and keeps their order and form", async () => {
  await using cli = await commandLine();
  const lines = Array.from({ length: 1100 }, (_, n) => n % 2 ? `{"v":1,"n":${n}}` : `"{\\"v\\":1,\\"n\\":${n}}"`);
  const { code, stdout } = await cli("rewrap", fakeIo({ stdin: lines.join("\n") }));
  equal(code, 0);
  equal(stdout, lines.map((line) => `${line.replace('v":1', 'v":2').replace('v\\":1', 'v\\":2')}\n`).join(""));
});

Deno.test("rewrap names the line of a bad envelope, and --output then leaves no file", async () => {
  await using cli = await commandLine();
  const lines = Array.from({ length: 700 }, (_, n) => `{"v":1,"n":${n}}`);
  lines[650] = '{"bad":true}';
  const input = `${cli.dataDir}/in.jsonl`;
  await Deno.writeTextFile(input, lines.join("\n"));
  const { code, stdout, stderr } = await cli(`rewrap ${input} --output ${cli.dataDir}/out.jsonl`);
  deepEqual([code, stdout], [1, ""]);
  match(stderr, /^runevault: Line 651: /);
  const names = (await Array.fromAsync(Deno.readDir(cli.dataDir))).map(({ name }) => name).sort();
  deepEqual(names, ["addresses.json", "admin.token", "in.jsonl"]);
  await Deno.writeTextFile(input, lines.slice(0, 600).join("\n"));
  equal((await cli(`rewrap ${input} --output ${cli.dataDir}/out.jsonl`)).code, 0);
  equal((await Deno.readTextFile(`${cli.dataDir}/out.jsonl`)).split("\n").length, 601);
  equal((await cli(`rewrap ${cli.dataDir}/none.jsonl`)).code, 1);
});

Deno.test("a reader that has had enough, as head has, is no failure", async () => {
  await using cli = await commandLine();
  const io = { ...fakeIo(), out: () => Promise.reject(new OutputClosed("closed")) };
  deepEqual(await cli("token list", io), { code: 0, stdout: "", stderr: "" });
});

Deno.test("commands other than serve load no server code, no domain and no listener", async () => {
  const main = new URL("../main.ts", import.meta.url).href;
  const command = new Deno.Command(Deno.execPath(), { args: ["info", "--json", main] });
  const graph = JSON.parse(new TextDecoder().decode((await command.output()).stdout)) as Graph;
  const loaded = staticImports(graph, main).map((url) => new URL(url).pathname);
  ok(loaded.some((path) => path.endsWith("/admin/client.ts")), "the graph was read");
  const wrong = loaded.filter((path) => /\/(server|vault|admin)\//.test(path)).filter((path) =>
    !/\/(server\/(data_dir|config_options)|vault\/errors|admin\/client(_[a-z]+)?)\.ts$/.test(path)
  );
  deepEqual(wrong, []);
});

interface Graph {
  modules: { specifier: string; dependencies?: { isDynamic?: boolean; code?: { specifier?: string } }[] }[];
}

/** Everything that loading `entry` loads, without what is imported when it is needed. */
function staticImports(graph: Graph, entry: string): string[] {
  const seen = new Set<string>();
  const queue = [entry];
  for (let url = queue.pop(); url !== undefined; url = queue.pop()) {
    if (seen.has(url) || !url.startsWith("file:")) continue;
    seen.add(url);
    const module = graph.modules.find(({ specifier }) => specifier === url);
    for (const { isDynamic, code } of module?.dependencies ?? []) {
      if (!isDynamic && code?.specifier) queue.push(code.specifier);
    }
  }
  return [...seen];
}
