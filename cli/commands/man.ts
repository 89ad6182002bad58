/**
 * `runevault man`: the man page of this very program.
 *
 * @module
 */

import { VERSION } from "../../version.ts";
import { commandPages } from "../command_pages.ts";
import { manPage } from "../man_page.ts";
import { type CliContext, examples, type Root } from "../program.ts";

const SECTIONS = [
  {
    heading: "ENVIRONMENT",
    terms: [
      { term: "RUNEVAULT_DATA_DIR", meaning: "the data folder of the server" },
      { term: "RUNEVAULT_TOKEN, VAULT_TOKEN", meaning: "a token of the identity API: whose rights count" },
      {
        term: "RUNEVAULT_ADDR, VAULT_ADDR",
        meaning: "where the identity API is; without it, the vault of this machine",
      },
      { term: "RUNEVAULT_CACERT, VAULT_CACERT", meaning: "a PEM file with the authority of its certificate" },
      { term: "NO_COLOR", meaning: "set and not empty: no colours; there are none where the output is no terminal" },
    ],
  },
  {
    heading: "FILES",
    terms: [
      { term: "/var/lib/runevault", meaning: "the data folder of a server that root started" },
      { term: "/etc/runevault/runevault.yml", meaning: "its configuration, where the data folder has none" },
      { term: "<data>/admin.sock", meaning: "where the other commands reach it" },
    ],
  },
];

/** Adds the command that prints the man page. */
export function addManCommand(root: Root, { io }: CliContext): void {
  root.command("man").description("Print the man page of every command, as `man` reads it.")
    .addHelpText("after", examples("runevault man | man -l -", "runevault man > /usr/local/share/man/man1/runevault.1"))
    .action(async () => {
      const day = new Date().toISOString().slice(0, 10);
      await io.out(manPage({ pages: commandPages(root), version: VERSION, day, sections: SECTIONS }));
    });
}
