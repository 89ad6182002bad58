/**
 * The power cuts of the siege see a sync that is missing, whichever it is: each is lost, as if it had been forgotten.
 *
 * @module
 */

import { rejects } from "node:assert/strict";
import { seededNumbers } from "../crash/_fleet.ts";
import { missingCommands } from "../install/_programs.ts";
import { cutAgainAndAgain } from "./power_cut.ts";

/** How names begin whose syncs are lost, and what the attack says then. */
const LOST: readonly [string, RegExp][] = [
  ["runevault.db", /^Error: runevault\.db is in force, and was never synced/],
  ["vault-tokens.yml", /^Error: vault-tokens\.yml is in force, and was never synced/],
  ["vault-roles.yml", /^Error: vault-roles\.yml is in force, and was never synced/],
  ["audit.log", /^Error: audit\.log is in force, and was never synced/],
  ["audit.k", /^Error: audit\.k\w+ is in force, and was never synced/],
  ["seal.key", /^Error: seal\.key is in force, and was never synced/],
  [".", /^Error: \S+: an acknowledged token is gone after a power cut/],
];

for (const [blind, seen] of LOST) {
  const name = `a power cut shows that ${blind === "." ? "the folder" : blind} is not synced [apt install gcc]`;
  Deno.test({ name, ignore: missingCommands("gcc"), fn: () => loseAndSee(blind, 0, seen) });
}

/** As the store of a vault that has been there for a while: it is synced, and then no more. */
Deno.test({
  name: "a power cut shows that the store is synced no more [apt install gcc]",
  ignore: missingCommands("gcc"),
  fn: () => loseAndSee("runevault.db", 1, /may be older than what it promised|an acknowledged token is gone/),
});

/** As if a commit were answered before its line is synced, and its entry forgotten. */
Deno.test({
  name: "a power cut shows that the trail is synced no more [apt install gcc]",
  ignore: missingCommands("gcc"),
  fn: () => loseAndSee("audit.log", 1, /the trail is broken after a power cut: .* are missing/),
});

async function loseAndSee(blind: string, blindFrom: number, seen: RegExp): Promise<void> {
  await rejects(cutAgainAndAgain({ cuts: 4, random: seededNumbers(7), blind, blindFrom }), seen);
}
