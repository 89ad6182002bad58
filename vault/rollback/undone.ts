/**
 * What going back undoes and nothing does again: roles and policies that were narrowed since are wide again. Their content
 * is in no trail, so whoever accepts the rollback is told which they are.
 *
 * @module
 */

import type { Effect } from "../audit/effects.ts";
import type { VaultState } from "../state.ts";

/** They come and go by themselves, or their end is done again. */
const NOT_NAMED: ReadonlySet<string> = new Set(["service_token", "user_token", "cubbyhole", "lease"]);

/** Collects records that were changed. */
export class Undone {
  readonly #last = new Map<string, Effect>();

  /** Takes in one effect; in order. */
  add(effect: Effect): void {
    if (NOT_NAMED.has(effect.kind) || isDoneAgain(effect)) return;
    this.#last.set(`${effect.kind}/${effect.id}`, effect);
  }

  /** Each by its kind, its name and what happened to it last, such as `policy dev changed`. */
  told(state: VaultState): string[] {
    return [...this.#last.values()].map((effect) => `${effect.kind} ${nameOf(effect, state)} ${effect.act}`);
  }
}

/** Ended users, passwords and operators are seen to by the replay. */
function isDoneAgain({ kind, act, epoch, disabled, password }: Effect): boolean {
  if (kind === "user") return act === "deleted" || epoch !== undefined || disabled === true;
  if (kind === "userpass_user") return act === "deleted" || password === "set";
  return kind === "operator" && act !== "made";
}

function nameOf({ kind, id }: Effect, state: VaultState): string {
  if (kind === "user") return state.users.get(id)?.record.name ?? id;
  if (kind === "group") return state.table("group").get(id)?.name ?? id;
  if (kind === "alias") return state.table("alias").get(id)?.name ?? id;
  return id;
}
