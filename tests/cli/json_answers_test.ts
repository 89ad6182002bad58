/** What docs/cli-json.md says of `--json`, beside what a started vault really answers: no field too few, none too many. */

import { deepEqual, ok } from "node:assert/strict";
import { JSON_ANSWERS } from "../../cli/json_answers.ts";
import { cli } from "../clients.ts";
import { StartedServer } from "../started_server.ts";

const PAGE = await Deno.readTextFile(new URL("../../docs/cli-json.md", import.meta.url));

const PASSWORD = "a password of the test";

/** In order: later ones see what earlier ones made. Standard input is a password. */
const COMMANDS: readonly (readonly [command: string, ...args: string[]])[] = [
  ["role create", "--name", "reader", "--scope", "get_bundle", "--top-k", "3", "--rate-limit", "10/60s"],
  ["role create", "--name", "other", "--scope", "get_bundle", "--top-k", "3", "--rate-limit", "10/60s"],
  ["role list"],
  ["role show", "--name", "reader"],
  ["role update", "--name", "reader", "--top-k", "4"],
  ["role delete", "--name", "other"],
  ["token issue", "--user", "alice", "--role", "reader"],
  ["token rotate", "--user", "alice", "--grace", "1m"],
  ["token list"],
  ["token show", "--user", "alice"],
  ["user create", "dana"],
  ["user password", "dana"],
  ["user unlock", "dana"],
  ["user locked"],
  ["login", "dana"],
  ["user list"],
  ["user show", "alice"],
  ["user disable", "alice"],
  ["user enable", "alice"],
  ["oidc key create", "app", "--algorithm", "ES256", "--allowed-client-ids", "*"],
  ["oidc role create", "app", "--key", "app"],
  ["oidc role preview", "app", "alice"],
  ["token revoke", "--user", "alice"],
  ["user cutoff", "alice"],
  ["user restore", "alice"],
  ["operator init"],
  ["operator root list"],
  ["operator add", "carol", "--scope", "read"],
  ["operator list"],
  ["operator rotate", "carol"],
  ["operator remove", "carol"],
  ["secret rotate"],
  ["secret list"],
  ["file status"],
  ["clock status"],
  ["clock accept"],
  ["status"],
  ["audit verify"],
  ["tls show"],
  ["doctor"],
  ["upgrade", "--check"],
];

/** The fields of a type on the page: its own and those that it inherits. */
function fieldsOf(type: string): Fields {
  const [, parent, body] = new RegExp(`\ninterface ${type} (?:extends (\\w+) )?\\{\n(.*?)\n\\}`, "s").exec(PAGE)!;
  const inherited = parent === undefined ? { required: [], optional: [] } : fieldsOf(parent);
  const own = [...body!.matchAll(/^ {2}(\w+)(\?)?:/gm)];
  return {
    required: [...inherited.required, ...own.filter(([, , mark]) => mark === undefined).map(([, name]) => name!)],
    optional: [...inherited.optional, ...own.filter(([, , mark]) => mark !== undefined).map(([, name]) => name!)],
  };
}

interface Fields {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

type Answer = Readonly<Record<string, unknown>>;

/** What a row of the page promises, and the part of an answer that it is about. */
function promised(row: string, body: Answer): { fields: Fields; about: Answer; more: boolean } {
  const [, list, type, others = ""] = /^(?:`(\w+)`, an array of )?`([A-Z]\w+)`(?: with (.*))?$/.exec(row) ?? [];
  if (type !== undefined) {
    const { required, optional } = fieldsOf(type);
    const about = list === undefined ? body : (body[list] as Answer[])[0]!;
    return { fields: { required: [...required, ...namesIn(others)], optional }, about, more: false };
  }
  const more = / and so on/.test(row);
  const [, part, text] = /^envelope; `(data|auth)`: (.*)$/.exec(row) ?? [];
  if (part !== undefined) return { fields: { required: namesIn(text!), optional: [] }, about: body[part] as Answer, more };
  return { fields: { required: namesIn(row), optional: [] }, about: body, more };
}

/** The names in code of a row, without those that say what is in one of them. */
function namesIn(text: string): string[] {
  const outer = text.replaceAll(/\([^)]*\)/g, "").replaceAll(/, (?:an array of|by id:)[^;]*/g, "");
  return [...outer.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
}

Deno.test("what a started vault answers has the fields that docs/cli-json.md lists, and no other", async () => {
  await using server = await StartedServer.start();
  const wrong: string[] = [];
  for (const [command, ...args] of COMMANDS) {
    const { stdout, stderr } = await cli(server, [...command.split(" "), ...args, "--json"], `${PASSWORD}\n`);
    ok(stdout !== "", `${command}: ${stderr}`);
    const body = JSON.parse(stdout) as Answer;
    const row = JSON_ANSWERS[command]!;
    if (row.startsWith("`{}`")) {
      ok(stdout === "{}\n" || Array.isArray(body["warnings"]), `${command}: ${stdout}`);
      continue;
    }
    const { fields: { required, optional }, about, more } = promised(row, body);
    const names = Object.keys(about);
    wrong.push(...required.filter((name) => !names.includes(name)).map((name) => `${command} lacks ${name}`));
    if (more) continue;
    const beside = names.filter((name) => ![...required, ...optional].includes(name));
    wrong.push(...beside.map((name) => `${command} has ${name}`));
  }
  deepEqual(wrong, []);
});
