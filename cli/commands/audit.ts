/**
 * `runevault audit …`: who did what.
 *
 * @module
 */

import type { AuditReportBody, TallyRow } from "../../admin/wire.ts";
import { parsePoint } from "../points_in_time.ts";
import { escapeControls, facts, table } from "../format.ts";
import type { Io } from "../io.ts";
import { wholeNumber } from "../numbers.ts";
import { type CliContext, examples, type GlobalOptions, type Root } from "../program.ts";
import { answer, connect } from "../session.ts";
import { addVerifyCommand } from "./audit_verify.ts";

/** As long as a timer can wait. */
const FOR_EVER_MS = 2 ** 31 - 1;
const QUERY_TIMEOUT_MS = 3_600_000;

/** Adds the commands for the audit trail. */
export function addAuditCommands(root: Root, context: CliContext): void {
  const { io } = context;
  const audit = root.command("audit").helpCommand(false).description("Read and check the audit trail.");

  audit.command("tail").description("Print the newest entries.")
    .option("-f, --follow", "go on with what is written from now on")
    .option("-n, --lines <N>", "how many (10 where absent)", wholeNumber("--lines"))
    .addHelpText("after", examples("runevault audit tail -f"))
    .action(async ({ follow, lines }, command) => {
      const wanted = parameters({ lines, follow: follow ? "1" : undefined });
      await print(io, command.optsWithGlobals(), `/audit/tail${wanted}`, follow ? FOR_EVER_MS : QUERY_TIMEOUT_MS);
    });

  audit.command("query").description("Print the entries that fit, the oldest first; each is one line of JSON.")
    .option("--user <USER>", "a user's name, or an entity id")
    .option("--since <TIME>", "30m, 24h, 7d, or a time such as 2026-03-20T10:00:00Z")
    .option("--until <TIME>", "the same")
    .option("--operation <OP>", "an operation, such as decrypt_metadata or identity/oidc/token/:name")
    .option("-n, --limit <N>", "the newest N alone", wholeNumber("--limit"))
    .addHelpText("after", examples("runevault audit query --user alice --since 24h --json"))
    .action(async ({ user, since, until, operation, limit }, command) => {
      const wanted = parameters({ user, operation, limit, ...span(since, until) });
      await print(io, command.optsWithGlobals(), `/audit/entries${wanted}`, QUERY_TIMEOUT_MS);
    });

  audit.command("report").description("Show what a user opened, whose envelopes, which databases, and from where.")
    .requiredOption("--user <USER>", "a user's name, or an entity id")
    .option("--since <TIME>", "30m, 24h, 7d, or a time")
    .option("--until <TIME>", "the same")
    .addHelpText("after", examples("runevault audit report --user alice --since 7d"))
    .action(async ({ user, since, until }, command) => {
      const path = `/audit/report${parameters({ user, ...span(since, until) })}`;
      const question = { method: "GET" as const, path, timeoutMs: QUERY_TIMEOUT_MS };
      await answer<AuditReportBody>(io, command.optsWithGlobals(), question, (body) => showReport(user, body));
    });

  addVerifyCommand(audit, context);
}

function span(since: string | undefined, until: string | undefined) {
  const now = Date.now();
  return {
    since: since === undefined ? undefined : parsePoint(since, "--since", now),
    until: until === undefined ? undefined : parsePoint(until, "--until", now),
  };
}

function parameters(given: Readonly<Record<string, string | number | undefined>>): string {
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(named.map(([name, value]) => [name, String(value)])).toString();
  return query === "" ? "" : `?${query}`;
}

/** Prints lines as they come; they are JSON with and without `--json`. */
async function print(io: Io, globals: GlobalOptions, path: string, timeoutMs: number): Promise<void> {
  using client = await connect(io, globals, timeoutMs);
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of await client.bytes("GET", path)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    if (lines.length > 0) await io.out(lines.map((line) => `${escapeControls(line)}\n`).join(""));
  }
}

function showReport(user: string, report: AuditReportBody): string {
  const { operations, envelopes, databases, addresses, sessions } = report;
  const parts = [
    facts([
      ["User", user],
      ["Entries", String(report.entries)],
      ["First", report.first],
      ["Last", report.last],
      ["Score rows", report.score_rows === 0 ? null : String(report.score_rows)],
    ]),
    tallies("OPERATION", operations.map((row) => [row.operation, row])),
    envelopes.length === 0 ? "" : table(
      ["ENVELOPES_OF", "AGENT_ID", "OPENED"],
      envelopes.map((row) => [row.user ?? "?", row.agent_id, String(row.envelopes)]),
    ),
    tallies("DATABASE", databases.map((row) => [row.path, row])),
    tallies("FROM", addresses.map((row) => [row.remote_address, row])),
    tallies("SESSION", sessions.map((row) => [row.session_id, row])),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function tallies(heading: string, rows: readonly (readonly [string, TallyRow])[]): string {
  if (rows.length === 0) return "";
  const cells = rows.map(([name, { allowed, refused, last }]) => [name, String(allowed), String(refused), last]);
  return table([heading, "ALLOWED", "REFUSED", "LAST"], cells);
}
