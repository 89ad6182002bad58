/**
 * `runevault user cutoff` and `runevault user restore`
 *
 * @module
 */

import { adminPath } from "../../admin/client.ts";
import type { CutOffBody, HeldRow, PendingRow } from "../../admin/wire.ts";
import { escapeControls, facts, messageLine } from "../format.ts";
import type { Io } from "../io.ts";
import { examples, type Group } from "../program.ts";
import { answer, type Question } from "../session.ts";

/** Accounts elsewhere are waited for a little. */
const TIMEOUT_MS = 60_000;

/** Adds the commands that end a user's every access, and let them in again. */
export function addCutoffCommands(user: Group, io: Io): void {
  user.command("cutoff").description("End everything that a user holds, and block their logins.")
    .argument("<user>", "the user's name, or the name or id of an entity that has logins alone")
    .option("--reason <TEXT>", "why; kept with the user and in the audit trail")
    .addHelpText("after", examples('runevault user cutoff alice --reason "laptop stolen"'))
    .action(async (name, { reason }, command) => {
      const path = adminPath`/users/${name}/cutoff`;
      const question: Question = { method: "POST", path, body: { reason }, timeoutMs: TIMEOUT_MS };
      await answer<CutOffBody>(io, command.optsWithGlobals(), question, showCutOff);
    });

  user.command("restore").description("Let a user in again who was cut off; what was revoked stays revoked.")
    .argument("<user>", "the user's name")
    .addHelpText("after", examples("runevault user restore alice"))
    .action(async (name, _options, command) => {
      const question: Question = { method: "POST", path: adminPath`/users/${name}/restore`, body: {} };
      await answer(io, command.optsWithGlobals(), question, messageLine);
    });
}

function showCutOff(body: CutOffBody): string {
  return facts([
    ["Cut off", body.user],
    ["Entity", body.entity_id],
    ["Since", body.at],
    ["Reason", body.reason ?? null],
    ["Ended", showEnded(body.ended)],
    ["Identity tokens", "inactive at introspection; in the feed /v1/identity/oidc/revoked for the rest"],
    ["Logins blocked", body.blocked_logins.join(", ") || "none"],
    ...body.pending.map((row) => ["Still pending", showPending(row)] as const),
    ...(body.pending.length === 0 ? [["Still pending", "nothing"] as const] : []),
    ...body.open_namesakes.map((login) => ["Still open", showNamesake(login, body.user)] as const),
    ["Still open", showOperator(body.open_operator)],
  ]) + showHeld(body);
}

function showEnded({ evt_tokens, service_tokens, wrapped_answers, leases }: CutOffBody["ended"]): string {
  return [
    counted(evt_tokens, "user token"),
    counted(service_tokens, "login or child token"),
    counted(wrapped_answers, "wrapped answer"),
    counted(leases, "lease"),
  ].join(", ");
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function showPending({ account, since, reason }: PendingRow): string {
  return `${account} since ${since}: ${reason ?? "on its way"}`;
}

function showNamesake(login: string, user: string): string {
  return `${login} isn't linked to ${user}; if it is theirs: runevault user link ${user} ${login.split("/").at(-1)}`;
}

function showOperator(name: string | null): string | null {
  return name === null ? null : `the operator ${name}; if it is the same person: runevault operator remove ${name}`;
}

/** `still held by X: data key since T, score rows N, database password P since T`, and a line for each remedy. */
function showHeld({ user, held }: CutOffBody): string {
  if (held.length === 0) return `still held by ${escapeControls(user)}: nothing\n`;
  const remedies = held.map((row) => `  ${nameOf(row)}: ${escapeControls(row.remedy)}\n`);
  return `still held by ${escapeControls(user)}: ${held.map(showThing).join(", ")}\n${remedies.join("")}`;
}

function showThing(row: HeldRow): string {
  return row.rows === undefined ? `${nameOf(row)} since ${row.since}` : `${nameOf(row)} ${row.rows}`;
}

function nameOf({ what, path }: HeldRow): string {
  return path === undefined ? what : `${what} ${escapeControls(path)}`;
}
