/** What docs/cli-json.md says of `--json`, beside what a started vault really answers: no field too few, none too many. */

import { deepEqual, equal } from "node:assert/strict";
import { JSON_ANSWERS } from "../../cli/json_answers.ts";
import { cli } from "../clients.ts";
import { StartedServer } from "../started_server.ts";

const PAGE = await Deno.readTextFile(new URL("../../docs/cli-json.md", import.meta.url));

/** In order: later ones see what earlier ones made. */
const COMMANDS: readonly (readonly [command: string, ...args: string[]])[] = [
  ["role create", "--name", "reader", "--scope", "get_bundle", "--top-k", "3", "--rate-limit", "10/60s"],
  ["role list"],
  ["role show", "--name", "reader"],
  ["role update", "--name", "reader", "--top-k", "4"],
  ["token issue", "--user", "alice", "--role", "reader"],
  ["token rotate", "--user", "alice", "--grace", "1m"],
  ["token list"],
  ["token show", "--user", "alice"],
  ["user list"],
  ["user show", "alice"],
  ["user disable", "alice"],
  ["user enable", "alice"],
  ["token revoke", "--user", "alice"],
  ["user cutoff", "alice"],
  ["user restore", "alice"],
  ["operator init"],
  ["operator root list"],
  ["operator add", "carol", "--scope", "read"],
  ["operator list"],
  ["operator rotate", "carol"],
  ["secret rotate"],
  ["secret list"],
  ["file status"],
  ["clock status"],
  ["clock accept"],
  ["status"],
];

/** The fields of a type on the page: its own and those that it inherits. */
function fieldsOf(type: string): { required: string[]; optional: string[] } {
  const [, parent, body] = new RegExp(`\ninterface ${type} (?:extends (\\w+) )?\\{\n(.*?)\n\\}`, "s").exec(PAGE)!;
  const inherited = parent === undefined ? { required: [], optional: [] } : fieldsOf(parent);
  const own = [...body!.matchAll(/^ {2}(\w+)(\?)?:/gm)];
  return {
    required: [...inherited.required, ...own.filter(([, , mark]) => mark === undefined).map(([, name]) => name!)],
    optional: [...inherited.optional, ...own.filter(([, , mark]) => mark !== undefined).map(([, name]) => name!)],
  };
}

Deno.test("what a started vault answers has the fields that docs/cli-json.md lists, and no other", async () => {
  await using server = await StartedServer.start();
  for (const [command, ...args] of COMMANDS) {
    const { code, stdout, stderr } = await cli(server, [...command.split(" "), ...args, "--json"]);
    equal(code, 0, `${command}: ${stderr}`);
    const [, list, type] = /^(?:`(\w+)`, an array of )?`([A-Z]\w+)`$/.exec(JSON_ANSWERS[command]!) ?? [];
    const body = JSON.parse(stdout);
    const answered: Record<string, unknown> = list === undefined ? body : body[list][0];
    const { required, optional } = type === undefined
      ? { required: [...JSON_ANSWERS[command]!.matchAll(/`(\w+)`/g)].map(([, name]) => name!), optional: [] }
      : fieldsOf(type);
    const names = Object.keys(answered);
    deepEqual(required.filter((name) => !names.includes(name)), [], `${command} lacks of ${type}`);
    deepEqual(names.filter((name) => ![...required, ...optional].includes(name)), [], `${command} has beside ${type}`);
  }
});
