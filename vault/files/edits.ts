/**
 * What an edited file asks for: the differences between it and the vault's state, and the writes that make them so.
 *
 * @module
 */

import { foldedRoleNames } from "../database/roles.ts";
import { DAY_MS, lastValidDay, utcDay } from "../dates.ts";
import { VaultError } from "../errors.ts";
import { newEntityId } from "../ids.ts";
import { assertName, isName, quoteName } from "../names.ts";
import type { Clock, RandomSource } from "../ports.ts";
import { formatRateLimit } from "../roles/rate_limit.ts";
import { DEFAULT_ROLES, putRole } from "../roles/role_service.ts";
import { agentIdOf, type User, type VaultState } from "../state.ts";
import type { RoleRecord, UserRecord, UserTokenRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import { newestSecretVersion, putToken } from "../tokens/token_service.ts";
import type { Document, RoleRow, TokenRow } from "./document.ts";

/** One row that differs between a file and the vault. Tells names and settings, never a token or its hash. */
export interface FileDifference {
  /** The user or role. */
  readonly row: string;
  readonly change: "added" | "removed" | "changed";
  readonly detail: string;
}

/** What taking in one or both files would do. */
export interface Edit {
  readonly differences: readonly FileDifference[];
  readonly writes: readonly Write[];
}

/** What edits are computed from. */
export interface EditBasis {
  readonly state: VaultState;
  readonly clock: Clock;
  readonly random: RandomSource;
}

type Change = FileDifference & { readonly writes: readonly Write[] };

/**
 * Computes what the given files ask for, against the present state.
 *
 * @param documents The files that were edited; one that is absent stays as the vault has it.
 * @throws {VaultError} `config_invalid` for a row that can't be: an unknown role, a role removed though in use, a name
 *   that new users may not have, or a token that was revoked or rotated (no file brings one back).
 */
export function planEdit(
  documents: { roles?: Document<"roles">; tokens?: Document<"tokens"> },
  basis: EditBasis,
): Edit {
  const oldAgent = oldAgentRole(documents.tokens, documents.roles, basis.state);
  const roles = documents.roles === undefined ? [] : roleChanges(documents.roles, basis.state);
  const known = roleNamesAfter(basis.state, [...oldAgent, ...roles]);
  const tokens = documents.tokens === undefined ? [] : tokenChanges(documents.tokens, basis, known);
  if (documents.roles !== undefined && documents.tokens === undefined) {
    assertRolesKept(documents.roles.path, basis.state, known);
  }
  const changes = [...oldAgent, ...roles, ...tokens];
  return {
    differences: changes.map(({ row, change, detail }) => ({ row, change, detail })),
    writes: changes.flatMap((change) => change.writes),
  };
}

/** Token files from before the role `member` had that name may say `agent` and bring no roles file along. */
function oldAgentRole(
  tokens: Document<"tokens"> | undefined,
  roles: Document<"roles"> | undefined,
  state: VaultState,
): Change[] {
  const wanted = tokens?.generation === null && tokens.rows.some((row) => row.role === "agent");
  if (!wanted || state.roles.has("agent") || roles?.rows.some((row) => row.name === "agent")) return [];
  const member = DEFAULT_ROLES.find((role) => role.name === "member")!;
  return [{
    row: "agent",
    change: "added",
    detail: "the old name of member",
    writes: [putRole({ ...member, name: "agent" })],
  }];
}

function roleChanges({ rows, generation, path }: Document<"roles">, state: VaultState): Change[] {
  const named = new Set(rows.map((row) => row.name));
  const changes: Change[] = [];
  for (const row of rows) {
    const present = state.roles.get(row.name);
    if (present === undefined && generation !== null) atLine(path, row.line, () => assertName("role", row.name));
    const change = roleChange(row, present);
    if (change !== null) changes.push(change);
  }
  for (const { name } of state.roles.values()) {
    if (named.has(name) || DEFAULT_ROLES.some((role) => role.name === name)) continue;
    changes.push({ row: name, change: "removed", detail: "role", writes: [{ kind: "role", key: name }] });
  }
  return changes;
}

function roleChange(row: RoleRow, present: RoleRecord | undefined): Change | null {
  const { line: _line, ...wanted } = row;
  const { name } = wanted;
  if (present === undefined) {
    return { row: name, change: "added", detail: describeRole(wanted), writes: [putRole(wanted)] };
  }
  const before = describeRole(present);
  const after = describeRole(wanted);
  if (before === after) return null;
  return { row: name, change: "changed", detail: `${before} → ${after}`, writes: [putRole(wanted)] };
}

function describeRole({ scope, topK, rateLimit, policies, cutoffEnvelopes }: RoleRecord): string {
  const may = policies === undefined ? "" : ` policies ${policies.join(",")}`;
  const cut = cutoffEnvelopes === undefined ? "" : ` cutoff_envelopes ${cutoffEnvelopes}`;
  const scopes = [...scope].sort().join(",") || "none";
  return `scope ${scopes} top_k ${topK} rate_limit ${formatRateLimit(rateLimit)}${may}${cut}`;
}

function roleNamesAfter(state: VaultState, changes: readonly Change[]): ReadonlySet<string> {
  const names = new Set(state.roles.keys());
  for (const { row, change } of changes) change === "removed" ? names.delete(row) : names.add(row);
  return names;
}

function assertRolesKept(path: string, state: VaultState, known: ReadonlySet<string>): void {
  for (const [role, count] of state.tokensByRole) {
    if (count === 0 || known.has(role)) continue;
    throw new VaultError(
      "config_invalid",
      `${path}: role ${quoteName(role)} is used by ${count} token(s) and can't be removed`,
      { hint: "nothing was changed; correct the file" },
    );
  }
}

function tokenChanges(document: Document<"tokens">, basis: EditBasis, roles: ReadonlySet<string>): Change[] {
  const changes: Change[] = [];
  const named = new Set<string>();
  const newcomers = new Set<string>();
  const ofDatabases = foldedRoleNames(basis.state);
  for (const row of document.rows) {
    named.add(row.user);
    if (!roles.has(row.role)) throw failAt(document.path, row.line, `unknown role ${quoteName(row.role)}`);
    if (basis.state.userByName(row.user) === undefined) {
      assertNoDatabaseRole(row, document, ofDatabases);
      assertNewcomer(row, document, basis.state, newcomers);
    }
    const change = tokenChange(row, basis, document);
    if (change !== null) changes.push(change);
  }
  for (const user of basis.state.userList) {
    if (user.token !== null && !named.has(user.record.name)) changes.push(removal(user, user.token.record, basis));
  }
  return changes;
}

/** Names of old files are taken as they are; new ones follow the rules that an issued token's user does. */
function assertNewcomer(row: TokenRow, document: Document, state: VaultState, newcomers: Set<string>): void {
  if (document.generation === null) return;
  if (!isName(row.user)) throw failAt(document.path, row.line, `invalid user name ${quoteName(row.user)}`);
  const folded = row.user.toLowerCase();
  if (newcomers.has(folded) || state.usersByFoldedName(row.user).length > 0) {
    const message = `user ${quoteName(row.user)} differs only in case from another user`;
    throw failAt(document.path, row.line, message);
  }
  newcomers.add(folded);
}

/** S15; also for old files: what the role gives is no less for that. */
function assertNoDatabaseRole({ user, line }: TokenRow, { path }: Document, ofDatabases: ReadonlySet<string>): void {
  if (!ofDatabases.has(user.toLowerCase())) return;
  const hint = "nothing was changed; take another name, or `runevault token issue --force` if it is meant";
  throw failAt(path, line, `${quoteName(user)} is the name of a database role`, hint);
}

function tokenChange(row: TokenRow, basis: EditBasis, document: Document): Change | null {
  const { state, clock, random } = basis;
  const user = state.userByName(row.user);
  const current = user?.token?.record;
  if (current?.tokenHash === row.tokenHash) return settingsChange(row, current);
  if (state.tokens.has(agentIdOf(row.tokenHash))) {
    throw failAt(
      document.path,
      row.line,
      `the token of user ${quoteName(row.user)} was revoked, rotated, or is another user's`,
    );
  }
  const owner = user?.record ?? newUser(row.user, clock, random);
  const writes: Write[] = user === undefined ? [{ kind: "user", key: owner.entityId, value: owner }] : [];
  if (current) writes.push(...endAll("rotated", current, basis));
  writes.push(putToken(newToken(row, owner, secretVersionOf(document, state))));
  return { row: row.user, change: current ? "changed" : "added", detail: `token with role ${row.role}`, writes };
}

/** Tokens of an old vault sealed under the secret that was imported as version 1; others begin with the newest. */
function secretVersionOf(document: Document, state: VaultState): number {
  return document.generation === null ? 1 : newestSecretVersion(state);
}

/** Ends a current token and the one before it, whatever its grace. */
function endAll(ended: "revoked" | "rotated", current: UserTokenRecord, { state, clock }: EditBasis): Write[] {
  const replaced = state.graceTokenOf(current.entityId)?.record;
  return (replaced === undefined ? [current] : [current, replaced])
    .map((record) => putToken({ ...record, ended, endedAt: clock.now() }));
}

function newUser(name: string, clock: Clock, random: RandomSource): UserRecord {
  return { entityId: newEntityId(clock, random), name, epoch: 1, disabled: false, createdAt: clock.now() };
}

function newToken(row: TokenRow, owner: UserRecord, secretVersion: number): UserTokenRecord {
  const { tokenHash, role, issuedAt, expiresAt } = row;
  return { tokenHash, entityId: owner.entityId, epoch: owner.epoch, role, secretVersion, issuedAt, expiresAt };
}

function settingsChange(row: TokenRow, current: UserTokenRecord): Change | null {
  if (row.role === current.role && isSameDay(row.issuedAt, current.issuedAt) && row.expiresAt === current.expiresAt) {
    return null;
  }
  const detail = `${describeToken(current)} → ${describeToken(row)}`;
  const issuedAt = isSameDay(row.issuedAt, current.issuedAt) ? current.issuedAt : row.issuedAt;
  const record = { ...current, role: row.role, issuedAt, expiresAt: row.expiresAt };
  return { row: row.user, change: "changed", detail, writes: [putToken(record)] };
}

function describeToken(token: { role: string; issuedAt: number | null; expiresAt: number | null }): string {
  const expires = token.expiresAt === null ? "never" : lastValidDay(token.expiresAt);
  return `role ${token.role} issued_at ${day(token.issuedAt)} expires ${expires}`;
}

function isSameDay(a: number | null, b: number | null): boolean {
  return a === b || (a !== null && b !== null && Math.floor(a / DAY_MS) === Math.floor(b / DAY_MS));
}

function day(at: number | null): string {
  return at === null ? "unknown" : utcDay(at);
}

/** A row taken out of the file is a revocation, with all that one does: see `TokenService.revoke`. */
function removal({ record }: User, token: UserTokenRecord, basis: EditBasis): Change {
  const raised: UserRecord = { ...record, epoch: record.epoch + 1 };
  const writes: Write[] = [{ kind: "user", key: record.entityId, value: raised }, ...endAll("revoked", token, basis)];
  return { row: record.name, change: "removed", detail: "token revoked", writes };
}

function atLine(path: string, line: number, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (error instanceof VaultError) throw failAt(path, line, error.message);
    throw error;
  }
}

function failAt(
  path: string,
  line: number,
  message: string,
  hint = "nothing was changed; correct the file",
): VaultError {
  return new VaultError("config_invalid", `${path}, line ${line}: ${message}`, { hint, data: { line } });
}
