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
const MAX_IMPLICIT_KEY_CHARS = 1000;

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
  yield `${HEADER}generation: ${generation}\ntokens:`;
  let isEmpty = true;
  // The list may change meanwhile: what does is either in this text or marked as changed since, never lost. Only at its
  // end is it known whether there was a row.
  for (let from = 0; from < state.userList.length; from += PART_USERS) {
    let part = "";
    for (const user of state.userList.slice(from, from + PART_USERS)) part += tokenText(user);
    if (part === "") continue;
    yield isEmpty ? `\n${part}` : part;
    isEmpty = false;
  }
  if (isEmpty) yield " []\n";
}

function roleText({ name, scope, topK, rateLimit, policies, cutoffEnvelopes }: RoleRecord): string {
  const may = policies === undefined ? "" : `    policies: [${policies.map(quote).join(", ")}]\n`;
  const cut = cutoffEnvelopes === undefined ? "" : `    cutoff_envelopes: ${cutoffEnvelopes}\n`;
  return `  ${mappingKey(name)}:
    scope: [${scope.join(", ")}]
    top_k: ${topK}
    rate_limit: ${formatRateLimit(rateLimit)}
${may}${cut}`;
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

/** A key that is longer than YAML allows before a colon (1.2 §7.4.2) is announced by a question mark. */
function mappingKey(name: string): string {
  const key = quote(name);
  return key.length > MAX_IMPLICIT_KEY_CHARS ? `? ${key}\n  ` : key;
}

/** Names that YAML can read as nothing but text stay bare; others become JSON strings, which are YAML (1.2 §1.3). */
function quote(name: string): string {
  return /^[A-Za-z][A-Za-z0-9_@-]*$/.test(name) && !RESERVED.has(name.toLowerCase()) ? name : JSON.stringify(name);
}

const RESERVED = new Set(["true", "false", "null", "yes", "no", "on", "off", "y", "n"]);
