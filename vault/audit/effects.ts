/**
 * What a change did, told from what it wrote: the same whatever request, sweeper or edited file caused it. A store that was
 * taken back to an older state can be made to know again, from these, what was revoked and blocked since.
 *
 * @module
 */

import type { IdentityRecords } from "../storage/identity_records.ts";
import type { UserRecord, UserTokenRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import { agentIdOf, type VaultState } from "../state.ts";

/** One thing that a change did to one record. It names the record and holds nothing that is secret. */
export interface Effect {
  /** The kind of record: `user`, `user_token`, `service_token`, `userpass_user`, `policy`, … */
  readonly kind: string;
  /** Entity id, agent id, accessor, or the record's name. */
  readonly id: string;
  readonly act: "made" | "changed" | "ended" | "deleted";
  /** Of a user: the epoch, where it was raised: everything that was caused under a lower one is dead. */
  readonly epoch?: number;
  /** Of a user: whether it is blocked, where that changed. */
  readonly disabled?: boolean;
  /** Of a user: whether they are cut off, where that changed. */
  readonly cut_off?: boolean;
  /** Of a user token: why it ended. */
  readonly reason?: string;
  /** Of a userpass user: its password was set. */
  readonly password?: "set";
  /** Whose it is. */
  readonly entity_id?: string;
}

/** The vault's own bookkeeping, which is nobody's act. */
const BOOKKEEPING: ReadonlySet<string> = new Set([
  "audit_outbox",
  "audit_open",
  "audit_head",
  "file",
  "file_change",
  "revocation",
  "spare_account",
  "meta",
]);

/** The effects of writes that aren't applied yet. */
export function effectsOf(writes: readonly Write[], state: VaultState): Effect[] {
  return writes.filter(({ kind }) => !BOOKKEEPING.has(kind)).map((write) => effectOf(write, state));
}

function effectOf(write: Write, state: VaultState): Effect {
  switch (write.kind) {
    case "user":
      return userEffect(write.key, write.value, state.users.get(write.key)?.record);
    case "user_token":
      return userTokenEffect(write.key, write.value, state);
    case "service_token":
      return serviceTokenEffect(write.value, state.table("service_token").get(write.key));
    case "userpass_user":
      return userpassEffect(write.key, write.value, state.table("userpass_user").get(write.key));
    case "cubbyhole":
      return cubbyholeEffect(write.value ?? state.table("cubbyhole").get(write.key), write.value === undefined);
    case "lease":
      return leaseEffect(write.key, write.value, state.table("lease").get(write.key));
    default:
      return { kind: write.kind, id: write.key, act: plainAct(write, state) };
  }
}

function plainAct({ kind, key, value }: Write, state: VaultState): Effect["act"] {
  if (value === undefined) return "deleted";
  if (kind === "role") return state.roles.has(key) ? "changed" : "made";
  if (kind === "secret") return state.secrets.has(Number(key)) ? "changed" : "made";
  if (kind === "fhe_key") return state.fheKeys.has(key) ? "changed" : "made";
  return state.table(kind as keyof IdentityRecords).has(key) ? "changed" : "made";
}

function userEffect(id: string, after: UserRecord | undefined, before: UserRecord | undefined): Effect {
  if (after === undefined || after.deletedAt !== undefined) {
    return { kind: "user", id, act: "deleted", ...(after === undefined ? {} : { epoch: after.epoch }) };
  }
  const wasDisabled = before?.disabled ?? false;
  const [wasCutOff, isCutOff] = [before?.cutOff !== undefined, after.cutOff !== undefined];
  return {
    kind: "user",
    id,
    act: before === undefined ? "made" : "changed",
    ...(before !== undefined && before.epoch !== after.epoch ? { epoch: after.epoch } : {}),
    ...(wasDisabled === after.disabled ? {} : { disabled: after.disabled }),
    ...(wasCutOff === isCutOff ? {} : { cut_off: isCutOff }),
  };
}

function userTokenEffect(hash: string, after: UserTokenRecord | undefined, state: VaultState): Effect {
  const id = agentIdOf(hash);
  const before = state.tokens.get(id)?.record;
  const owner = after ?? before;
  const about = { kind: "user_token", id, ...(owner === undefined ? {} : { entity_id: owner.entityId }) };
  if (after?.ended !== undefined) return { ...about, act: "ended", reason: after.ended };
  return { ...about, act: before === undefined ? "made" : "changed" };
}

function serviceTokenEffect(
  after: IdentityRecords["service_token"] | undefined,
  before: IdentityRecords["service_token"] | undefined,
): Effect {
  const record = after ?? before;
  const entityId = record?.entityId ?? "";
  return {
    kind: "service_token",
    id: record?.accessor ?? "",
    act: after === undefined ? "ended" : before === undefined ? "made" : "changed",
    ...(entityId === "" ? {} : { entity_id: entityId }),
  };
}

function userpassEffect(
  key: string,
  after: IdentityRecords["userpass_user"] | undefined,
  before: IdentityRecords["userpass_user"] | undefined,
): Effect {
  if (after === undefined) return { kind: "userpass_user", id: key, act: "deleted" };
  const isSet = before?.passwordChangedAt !== after.passwordChangedAt;
  const act = before === undefined ? "made" : "changed";
  return { kind: "userpass_user", id: key, act, ...(isSet ? { password: "set" } : {}) };
}

/** Its key begins with the hash of a token, and its path is its owner's business. */
function cubbyholeEffect(record: IdentityRecords["cubbyhole"] | undefined, isDeleted: boolean): Effect {
  const entityId = record?.entityId ?? "";
  const act = isDeleted ? "deleted" : "changed";
  return { kind: "cubbyhole", id: "", act, ...(entityId === "" ? {} : { entity_id: entityId }) };
}

function leaseEffect(
  id: string,
  after: { readonly state: string; readonly entityId: string } | undefined,
  before: { readonly state: string; readonly entityId: string } | undefined,
): Effect {
  const entityId = (after ?? before)?.entityId ?? "";
  const act = after === undefined
    ? "deleted"
    : before === undefined
    ? "made"
    : after.state === "ending"
    ? "ended"
    : "changed";
  return { kind: "lease", id, act, ...(entityId === "" ? {} : { entity_id: entityId }) };
}
