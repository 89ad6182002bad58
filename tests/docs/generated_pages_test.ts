/** Pages that say what tables of the program say are as those tables have it now. */

import { deepEqual, equal } from "node:assert/strict";
import { statusOf } from "../../server/http/problem.ts";
import { cliJsonPage } from "../../tasks/cli_json_page.ts";
import { configurationPage } from "../../tasks/configuration_page.ts";
import { ERROR_TABLE, type VaultErrorKind } from "../../vault/errors.ts";

const read = (name: string) => Deno.readTextFile(new URL(`../../docs/${name}`, import.meta.url));

Deno.test("docs/configuration.md is current: `./denow run -A tasks/configuration_page.ts` writes it", async () => {
  equal(await read("configuration.md"), configurationPage());
});

Deno.test("docs/cli-json.md is current: `./denow run -A tasks/cli_json_page.ts` writes it", async () => {
  equal(await read("cli-json.md"), await cliJsonPage());
});

Deno.test("docs/errors.md has a row for every kind, with the statuses and the exit code that it has on each face", async () => {
  const cells = (await read("errors.md")).split("\n").filter((line) => line.startsWith("| `"))
    .map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()));
  const onPage = cells.map(([kind, _when, ...statuses]) => [kind, ...statuses].join(" "));
  const kinds = Object.entries(ERROR_TABLE) as [VaultErrorKind, { grpc: string; http: number; exit: number }][];
  const ofProgram = kinds.map(([kind, { grpc, http, exit }]) =>
    `\`${kind}\` ${grpc} ${http} ${statusOf(kind)} ${exit}`
  );
  deepEqual(onPage.sort(), ofProgram.sort());
});
