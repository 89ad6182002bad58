/** Pages that are made from tables of the program are as those tables have it now. */

import { equal } from "node:assert/strict";
import { cliJsonPage } from "../../tasks/cli_json_page.ts";
import { configurationPage } from "../../tasks/configuration_page.ts";

const read = (name: string) => Deno.readTextFile(new URL(`../../docs/${name}`, import.meta.url));

Deno.test("docs/configuration.md is current: `./denow run -A tasks/configuration_page.ts` writes it", async () => {
  equal(await read("configuration.md"), configurationPage());
});

Deno.test("docs/cli-json.md is current: `./denow run -A tasks/cli_json_page.ts` writes it", async () => {
  equal(await read("cli-json.md"), await cliJsonPage());
});
