/**
 * Writes the two YAML files' text, in parts. A fixed schema written by hand: a YAML library takes seconds for 100,000
 * rows, this takes a tenth of one, and it yields between parts.
 *
 * @module
 */

import { lastValidDay, utcDay } from "../dates.ts";
import { formatRateLimit } from "../roles/rate_limit.ts";
import { agentIdOf, type User, type VaultState } from "../state.ts";
import type { RoleRecord } from "../storage/records.ts";
import type { FileName } from "./document.ts";

const PART_USERS = 500;

const HEADER = `# Written by runevault after each change; its database is the truth, this is its face.
# To change something by hand: edit, keep "generation" as it is, then send the server SIGHUP.
`;

/** The text of a file at a generation, in parts that each take well under a millisecond to make. */
export function renderFile(file: FileName, state: VaultState, generation: number): Iterable<string> {
  return file === "roles" ? renderRoles(state, generation) : renderTokens(state, generation);
}

function* renderRoles(state: VaultState, generation: number): Iterable<string> {
  yield `${HEADER}generation: ${generation}\nroles:\n`;
  for (const role of [...state.roles.values()].sort((a, b) => a.name < b.name ? -1 : 1)) yield roleText(role);
}

function* renderTokens(state: VaultState, generation: number): Iterable<string> {
  yield `${HEADER}generation: ${generation}\ntokens:${state.liveTokenCount === 0 ? " []" : ""}\n`;
  // The list may grow meanwhile: what is added is either in this text or marked as changed since, never lost.
  for (let from = 0; from < state.userList.length; from += PART_USERS) {
    let part = "";
    for (const user of state.userList.slice(from, from + PART_USERS)) part += tokenText(user);
    if (part !== "") yield part;
  }
}

function roleText({ name, scope, topK, rateLimit }: RoleRecord): string {
  return `  ${quote(name)}:
    scope: [${scope.join(", ")}]
    top_k: ${topK}
    rate_limit: ${formatRateLimit(rateLimit)}
`;
}

function tokenText({ record: user, token }: User): string {
  if (token === null) return "";
  const { tokenHash, role, issuedAt, expiresAt } = token.record;
  const issued = issuedAt === null ? "" : `    issued_at: '${utcDay(issuedAt)}'\n`;
  const expires = expiresAt === null ? "" : `    expires: '${lastValidDay(expiresAt)}'\n`;
  return `  - user: ${quote(user.name)}
    token_hash: sha256:${tokenHash}
    agent_id: '${agentIdOf(tokenHash)}'
    role: ${quote(role)}
${issued}${expires}`;
}

/** Names that YAML can read as nothing but text stay bare; others become JSON strings, which are YAML (1.2 §1.3). */
function quote(name: string): string {
  return /^[A-Za-z][A-Za-z0-9_@-]*$/.test(name) && !RESERVED.has(name.toLowerCase()) ? name : JSON.stringify(name);
}

const RESERVED = new Set(["true", "false", "null", "yes", "no", "on", "off", "y", "n"]);
