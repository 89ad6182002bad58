/**
 * Writes docs/cli-json.md from `cli/json_answers.ts` and the types of `admin/wire.ts`: `deno run -A tasks/cli_json_page.ts`.
 *
 * @module
 */

import { JSON_ANSWERS } from "../cli/json_answers.ts";

const INTRO = `# What \`--json\` prints

Every command takes \`--json\`, before or after its name, and then prints one JSON text on one line of standard output, ended by a
line break; control characters in it stand as \`\\uXXXX\`. Fields are added over time and never renamed or taken away within a major
version: readers ignore those that they don't know. Days are \`YYYY-MM-DD\` in UTC, moments ISO 8601 in UTC, and null is "never", "none"
or "not yet".

\`\`\`console
$ runevault serve --tls off --grpc-addr 127.0.0.1:50051 2> server.log &
$ until runevault status > status 2>&1; do sleep 0.1; done
$ runevault token issue --user alice --role member --expires 90d --json | jq -r .token
evt_ba994a4c2165e5841fb421ccfeb8867b
$ runevault token list --json | jq -c '.tokens[] | [.user, .role, .expires]'
["alice","member","2027-02-21"]
$ runevault --json policy list | jq -c .data.keys
["default","root"]
\`\`\`

A command that fails prints nothing there, and on standard error one object: \`error\` (what is wrong), \`kind\` (one of those in
[errors.md](errors.md), for programs), \`hint\` (what to do about it) and \`data\`, both absent where there is none. The exit code is
the kind's.

\`\`\`console
$ runevault token show --user nobody --json
{"error":"User \\"nobody\\" has no token","kind":"not_found","hint":"see \`runevault token list\`"}
\`\`\`

"Envelope" is the identity API's: \`request_id\`, \`lease_id\`, \`renewable\`, \`lease_duration\`, \`data\`, \`wrap_info\`, \`warnings\`, \`auth\`,
\`mount_type\`. A name in code with a capital is a type below.

| command | prints |
|---|---|
`;

const TYPES = `
## The types

`;

/** The page. */
export async function cliJsonPage(): Promise<string> {
  const rows = Object.entries(JSON_ANSWERS).map(([command, what]) => `| \`${command}\` | ${what} |\n`);
  return `${INTRO}${rows.join("")}${TYPES}\`\`\`ts\n${await usedTypes()}\`\`\`\n`;
}

/** The interfaces of the admin API that the table names, and those that they are made of. */
async function usedTypes(): Promise<string> {
  const text = await Deno.readTextFile(new URL("../admin/wire.ts", import.meta.url));
  const types = new Map(
    text.split(/\n\n(?=\/\*\*)/).flatMap((block) => {
      const name = /export interface (\w+)/.exec(block)?.[1];
      return name === undefined ? [] : [[name, block.trim().replace("export ", "").replaceAll("readonly ", "")]];
    }),
  );
  const used = new Set<string>();
  const use = (source: string) => {
    for (const [name] of source.matchAll(/\b[A-Z]\w+/g)) {
      if (!types.has(name) || used.has(name)) continue;
      used.add(name);
      use(types.get(name)!);
    }
  };
  use(Object.values(JSON_ANSWERS).join(" "));
  return [...types].filter(([name]) => used.has(name)).map(([, block]) => `${block}\n`).join("\n");
}

if (import.meta.main) {
  await Deno.writeTextFile(new URL("../docs/cli-json.md", import.meta.url), await cliJsonPage());
}
