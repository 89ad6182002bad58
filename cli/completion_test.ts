import { deepEqual, equal, ok } from "node:assert/strict";
import { fakeIo } from "../tests/fakes/io.ts";
import { complete, type NameKind, type NameSource } from "./completion.ts";
import { createProgram, run } from "./mod.ts";

/** Remembers what was asked, and knows two users and a role. */
function namesOf() {
  const asked: Readonly<Record<string, string>>[] = [];
  const source: NameSource = {
    names(kind, globals) {
      asked.push(globals);
      const known: Partial<Record<NameKind, string[]>> = { user: ["alice", "bob"], role: ["member"] };
      return Promise.resolve(known[kind] ?? [`a-${kind}`]);
    },
  };
  return { asked, source };
}

async function valuesFor(...words: string[]): Promise<string[] | "files"> {
  const root = createProgram({ io: fakeIo(), exitCode: 0 }, { out: "", err: "" });
  const found = await complete(root, words, namesOf().source);
  return found === "files" ? found : found.map(({ value }) => value);
}

Deno.test("complete() offers commands, but not the hidden one", async () => {
  const nouns = await valuesFor("");
  ok(nouns.includes("token") && nouns.includes("completion") && nouns.includes("serve"));
  ok(!nouns.includes("complete"));
  deepEqual(await valuesFor("to"), ["token"]);
  deepEqual(await valuesFor("token", ""), ["issue", "rotate", "revoke", "list", "show"]);
  deepEqual(await valuesFor("token", "re"), ["revoke"]);
  deepEqual(await valuesFor("--data-dir", "/x", "secret", "ret"), ["retire"]);
});

Deno.test("complete() offers a command's flags and those of every command", async () => {
  deepEqual(await valuesFor("token", "rotate", "--g"), ["--grace"]);
  deepEqual(await valuesFor("token", "list", "--"), [
    "--data-dir",
    "--admin-addr",
    "--admin-socket",
    "--json",
    "--help",
  ]);
  ok((await valuesFor("serve", "--t")).includes("--tls-cert"));
});

Deno.test("complete() offers users, roles, choices and files where they belong", async () => {
  deepEqual(await valuesFor("token", "issue", "--user", ""), ["alice", "bob"]);
  deepEqual(await valuesFor("token", "issue", "--user", "b"), ["bob"]);
  deepEqual(await valuesFor("token", "issue", "--user", "x", "--role", ""), ["member"]);
  deepEqual(await valuesFor("role", "update", "--name", ""), ["member"]);
  deepEqual(await valuesFor("role", "create", "--name", ""), [], "a new name is nobody's");
  deepEqual(await valuesFor("user", "show", "a"), ["alice"]);
  deepEqual(await valuesFor("user", "show", "alice", ""), []);
  deepEqual(await valuesFor("file", "take", ""), ["roles", "tokens"]);
  deepEqual(await valuesFor("completion", "z"), ["zsh"]);
  deepEqual(await valuesFor("oidc", "token", ""), ["a-oidc-role"], "not a role of tokens");
  deepEqual(await valuesFor("oidc", "role", "create", "x", "--key", ""), ["a-oidc-key"]);
  deepEqual(await valuesFor("policy", "show", ""), ["a-policy"]);
  deepEqual(await valuesFor("policy", "explain", "--user", "al"), ["alice"]);
  deepEqual(await valuesFor("policy", "explain", "sys/mounts", "pa"), ["patch"]);
  deepEqual(await valuesFor("entity", "alias", "create", ""), ["a-entity"]);
  deepEqual(await valuesFor("entity", "group", "show", ""), ["a-group"]);
  deepEqual(await valuesFor("entity", "create", ""), [], "a new name is nobody's");
  deepEqual(await valuesFor("login", "alice", "--path", ""), [], "a mount is no file");
  equal(await valuesFor("policy", "write", "x", ""), "files");
  equal(await valuesFor("rewrap", ""), "files");
  equal(await valuesFor("rewrap", "--output", ""), "files");
  equal(await valuesFor("--data-dir", ""), "files");
  deepEqual(await valuesFor("token", "issue", "--expires", ""), []);
});

Deno.test("complete() understands --user=al whole, and as the three words that bash makes of it", async () => {
  deepEqual(await valuesFor("token", "issue", "--user=al"), ["--user=alice"]);
  deepEqual(await valuesFor("token", "issue", "--user", "=", "al"), ["alice"]);
  deepEqual(await valuesFor("token", "issue", "--user", "="), ["alice", "bob"]);
});

Deno.test("complete() asks the server that the line names", async () => {
  const { asked, source } = namesOf();
  const root = createProgram({ io: fakeIo(), exitCode: 0 }, { out: "", err: "" });
  await complete(root, ["--data-dir", "/srv/rv", "user", "show", ""], source);
  deepEqual(asked, [{ "--data-dir": "/srv/rv" }]);
});

Deno.test("the hidden command prints nothing but candidates, also when no server runs", async () => {
  const dataDir = await Deno.makeTempDir();
  const io = fakeIo({ env: { RUNEVAULT_DATA_DIR: dataDir } });
  equal(await run(["complete", "--", "token", "issue", "--user", ""], io), 0);
  deepEqual([io.stdout(), io.stderr()], ["", ""]);
  const files = fakeIo();
  equal(await run(["complete", "--", "rewrap", ""], files), 0);
  equal(files.stdout(), ":files\n");
  await Deno.remove(dataDir);
});
