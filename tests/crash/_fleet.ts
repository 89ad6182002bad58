/**
 * Operators who change a vault all at once, and what each remembers of what was acknowledged.
 *
 * Every operator has users and a role of its own and asks one thing after the other, so at a kill at most one of its
 * changes is open: it may have happened or not. Everything before it must be there.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import type { IssuedTokenBody, RoleRow, UserRow } from "../../admin/wire.ts";
import { type AdminHttp, VaultClient } from "../clients.ts";
import type { StartedServer } from "../started_server.ts";

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seededNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is known of one user. */
interface KnownUser {
  readonly name: string;
  /** The token that works, unless the user is disabled. */
  token: string | null;
  disabled: boolean;
  /** Tokens that no restart may bring back. */
  readonly dead: string[];
}

/** A change that was asked for and not answered. */
type OpenChange =
  | { readonly kind: OpenUserChange; readonly user: KnownUser }
  | { readonly kind: "role"; readonly topK: number };

type OpenUserChange = "issue" | "rotate" | "revoke" | "disable" | "enable";

const ROLE = "fleet";

/** Users that an operator works with at a time; it goes on with others where there would be more. */
const MAX_USERS = 12;
/** Dead tokens of a user that are tried at each check; the rest are at a thorough one. */
const NEWEST_DEAD = 3;

/** One operator. */
export class Operator {
  readonly #id: number;
  readonly #random: () => number;
  readonly #users: KnownUser[] = [];
  #topK = 1;
  #made = 0;
  #open: OpenChange | null = null;
  /** Dead tokens of users that this operator changes no more. */
  readonly #buried: string[] = [];

  constructor(id: number, random: () => number) {
    this.#id = id;
    this.#random = random;
  }

  /** Makes what the changes need; counted as acknowledged by nobody. */
  async prepare(admin: AdminHttp): Promise<void> {
    await admin.createRole(`role-${this.#id}`, ["get_bundle"], "1000000/1s", this.#topK);
  }

  /** Asks for one change after the other until `stopped` or the server is gone. */
  async work(admin: AdminHttp, stopped: () => boolean, onAcknowledged: () => void): Promise<void> {
    while (!stopped()) {
      try {
        await this.#change(admin);
      } catch (error) {
        if (!stopped()) throw error;
        return;
      }
      this.#open = null;
      onAcknowledged();
    }
  }

  async #change(admin: AdminHttp): Promise<void> {
    const user = this.#pick((one) => !one.disabled);
    const holder = this.#pick((one) => one.token !== null && !one.disabled);
    const disabled = this.#pick((one) => one.disabled);
    const draw = this.#random();
    if (draw < 0.2 && holder !== undefined) return await this.#revoke(admin, holder);
    if (draw < 0.4 && holder !== undefined) return await this.#rotate(admin, holder);
    if (draw < 0.5) return await this.#changeRole(admin);
    if (draw < 0.6 && user !== undefined) return await this.#switch(admin, user, true);
    if (draw < 0.7 && disabled !== undefined) return await this.#switch(admin, disabled, false);
    await this.#issue(admin, this.#pick((one) => one.token === null && !one.disabled && draw > 0.9) ?? this.#newUser());
    if (this.#users.length > MAX_USERS) this.#leave(this.#users[0]!);
  }

  async #issue(admin: AdminHttp, user: KnownUser): Promise<void> {
    this.#open = { kind: "issue", user };
    const body = { user: user.name, role: ROLE };
    user.token = (await admin.expect<IssuedTokenBody>("POST", "/tokens", body)).token;
  }

  async #rotate(admin: AdminHttp, user: KnownUser): Promise<void> {
    this.#open = { kind: "rotate", user };
    const { token } = await admin.expect<IssuedTokenBody>("POST", `/tokens/${user.name}/rotate`, {});
    user.dead.push(user.token!);
    user.token = token;
  }

  async #revoke(admin: AdminHttp, user: KnownUser): Promise<void> {
    this.#open = { kind: "revoke", user };
    await admin.revoke(user.name);
    user.dead.push(user.token!);
    user.token = null;
  }

  async #switch(admin: AdminHttp, user: KnownUser, disabled: boolean): Promise<void> {
    this.#open = { kind: disabled ? "disable" : "enable", user };
    await admin.expect("POST", `/users/${user.name}/${disabled ? "disable" : "enable"}`);
    user.disabled = disabled;
  }

  async #changeRole(admin: AdminHttp): Promise<void> {
    const topK = 1 + Math.floor(this.#random() * 9999);
    this.#open = { kind: "role", topK };
    await admin.expect("PUT", `/roles/role-${this.#id}`, { top_k: topK });
    this.#topK = topK;
  }

  /**
   * Compares the restarted server with what was acknowledged; what was open is taken as the server has it now.
   *
   * @param isThorough Whether every token that ever died is tried, not the newest alone.
   */
  async verify(vault: VaultClient, admin: AdminHttp, isThorough: boolean): Promise<void> {
    const open = this.#open;
    this.#open = null;
    const { top_k } = await admin.expect<RoleRow>("GET", `/roles/role-${this.#id}`);
    ok(top_k === this.#topK || (open?.kind === "role" && open.topK === top_k), `top_k ${top_k}`);
    this.#topK = top_k;
    for (const user of [...this.#users]) {
      const change = open !== null && "user" in open && open.user === user ? open.kind : null;
      await this.#verifyUser(user, change, vault, admin);
    }
    if (isThorough) { for (const token of this.dead) equal(await isAlive(vault, token), false, "a dead token lives"); }
  }

  async #verifyUser(
    user: KnownUser,
    open: OpenUserChange | null,
    vault: VaultClient,
    admin: AdminHttp,
  ): Promise<void> {
    for (const token of user.dead.slice(-NEWEST_DEAD)) {
      equal(await isAlive(vault, token), false, `${user.name}: a dead token lives`);
    }
    const { status: found, body } = await admin.ask<UserRow>("GET", `/users/${user.name}`);
    if (found === 404 && open === "issue" && user.dead.length === 0) return this.#leave(user);
    equal(found, 200, `${user.name} is gone`);
    if (open === "disable" || open === "enable") user.disabled = body.disabled;
    equal(body.disabled, user.disabled, `${user.name}: disabled`);
    const holdsOne = body.token !== null;
    if (open === "issue" || open === "rotate" || open === "revoke") return this.#adopt(user, open, holdsOne, vault);
    equal(holdsOne, user.token !== null, `${user.name}: token`);
    if (user.token !== null) equal(await isAlive(vault, user.token), !user.disabled, `${user.name}: its token`);
  }

  /** An open change happened as a whole or not at all. */
  async #adopt(user: KnownUser, open: OpenUserChange, holdsOne: boolean, vault: VaultClient): Promise<void> {
    const lives = user.token !== null && await isAlive(vault, user.token);
    if (open === "rotate") ok(holdsOne, `${user.name}: half a rotation took the token away`);
    if (open === "revoke") equal(lives, holdsOne, `${user.name}: half a revocation`);
    if (user.token !== null && !lives) user.dead.push(user.token);
    user.token = lives ? user.token : null;
    // A token that was made and told to nobody: this operator goes on with other users.
    if (holdsOne && !lives) this.#leave(user);
  }

  #leave(user: KnownUser): void {
    this.#users.splice(this.#users.indexOf(user), 1);
    this.#buried.push(...user.dead);
  }

  /** Every token that must never work again. */
  get dead(): string[] {
    return [...this.#buried, ...this.#users.flatMap((user) => user.dead)];
  }

  #newUser(): KnownUser {
    const user: KnownUser = {
      name: `op${this.#id}-user${this.#made++}`,
      token: null,
      disabled: false,
      dead: [],
    };
    this.#users.push(user);
    return user;
  }

  #pick(fits: (user: KnownUser) => boolean): KnownUser | undefined {
    const fitting = this.#users.filter(fits);
    return fitting[Math.floor(this.#random() * fitting.length)];
  }
}

async function isAlive(vault: VaultClient, token: string): Promise<boolean> {
  const { code, details } = await vault.manifest(token);
  ok(code === status.OK || code === status.UNAUTHENTICATED, details);
  return code === status.OK;
}

/** The role that all users of the fleet have. */
export function createFleetRole(admin: AdminHttp): Promise<void> {
  return admin.createRole(ROLE, ["get_public_key", "decrypt_metadata"]);
}

/** What one user sealed under each version of the team secret, to be opened after every restart. */
export class SecretKeeper {
  readonly #sealed = new Map<number, string>();
  #token = "";
  #open = false;

  async prepare(admin: AdminHttp, vault: VaultClient): Promise<void> {
    this.#token = await admin.issue("keeper", ROLE);
    await this.#seal(vault);
  }

  /** Rotates the team secret a few times while the others work. */
  async work(
    admin: AdminHttp,
    server: StartedServer,
    stopped: () => boolean,
    onAcknowledged: () => void,
  ): Promise<void> {
    using vault = VaultClient.of(server);
    try {
      this.#open = true;
      await admin.expect("POST", "/secrets/rotate");
      this.#open = false;
      onAcknowledged();
      await this.#seal(vault);
    } catch (error) {
      if (!stopped()) throw error;
    }
  }

  async #seal(vault: VaultClient): Promise<void> {
    const { message } = await vault.seal(this.#token, ["kept"]);
    if (message === undefined) throw new Error("not sealed");
    const [envelope] = message.envelopes;
    this.#sealed.set((JSON.parse(envelope!) as { k: number }).k, envelope!);
  }

  async verify(vault: VaultClient, admin: AdminHttp): Promise<void> {
    const { message, details } = await vault.open(this.#token, [...this.#sealed.values()]);
    deepEqual(message?.decryptedMetadata, [...this.#sealed.keys()].map(() => "kept"), details);
    const { secrets } = await admin.expect<{ secrets: { state: string }[] }>("GET", "/secrets");
    const newest = Math.max(...this.#sealed.keys());
    ok(
      secrets.length === newest || secrets.length === newest + 1,
      `${secrets.length} versions, sealed under ${newest}`,
    );
    if (!this.#open) ok(secrets.length >= newest);
    equal(secrets.filter(({ state }) => state === "active").length, 1);
  }
}
