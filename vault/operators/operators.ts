/**
 * Operators: who may manage the vault, each by a token of their own, so that what they do bears their name.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { VaultError } from "../errors.ts";
import { assertName, quoteName } from "../names.ts";
import type { OperatorRecord, OperatorScope } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import type { Plan } from "../writer.ts";

/** What operators may do, each more than the one before. */
const OPERATOR_SCOPES: readonly OperatorScope[] = ["read", "tokens", "all"];

/** The operator whose token is `<data>/admin.token`; it is in no store. */
export const ROOT_OPERATOR = "root";

/** An operator as they are told. */
export type OperatorSummary = Omit<OperatorRecord, "tokenHash">;

/** An operator with the token that was just made for them: the only moment at which it is known. */
export interface IssuedOperator extends OperatorSummary {
  readonly token: string;
}

/** Everything that is done to operators. */
export class Operators {
  readonly #in: Surroundings;
  readonly #byHash = new Map<string, OperatorRecord>();
  readonly #byTokenId = new Map<string, OperatorRecord>();

  constructor(surroundings: Surroundings) {
    this.#in = surroundings;
    surroundings.state.watch("operator", (after, before) => {
      if (before !== undefined) {
        this.#byHash.delete(before.tokenHash);
        this.#byTokenId.delete(idOf(before));
      }
      if (after === undefined) return;
      this.#byHash.set(after.tokenHash, after);
      this.#byTokenId.set(idOf(after), after);
    });
  }

  /** The operator whose token this is: one hash and one look-up, which tell nothing of the token by their time. */
  identify(token: string): OperatorSummary | undefined {
    return this.#byHash.get(hashOf(token));
  }

  /** SHA-256 of the token whose hash begins so (16 hex digits), by which a server proves that it knows it. */
  digestById(id: string): Uint8Array | undefined {
    const found = this.#byTokenId.get(id);
    return found === undefined ? undefined : Uint8Array.fromHex(found.tokenHash);
  }

  /** All operators but `root`, by name. */
  list(): OperatorSummary[] {
    const all = [...this.#in.state.table("operator").values()].sort((a, b) => a.name < b.name ? -1 : 1);
    return all.map(toSummary);
  }

  /**
   * Makes an operator and their token.
   *
   * @throws {VaultError} `invalid_argument` for the name or scope, `already_exists`, `storage_failed`.
   */
  add(name: string, scope: string): Promise<IssuedOperator> {
    return this.#in.writer.change(() => {
      assertName("operator", name);
      if (this.#holds(name)) throw new VaultError("already_exists", `Operator ${quoteName(name)} exists`);
      return this.#issue({ name, scope: parseScope(scope), createdAt: this.#in.clock.now() });
    });
  }

  /** Gives an operator a new token; the old one ends at once. `not_found`, `storage_failed`. */
  rotate(name: string): Promise<IssuedOperator> {
    return this.#in.writer.change(() => {
      const { tokenHash: _old, ...kept } = this.#needed(name);
      return this.#issue({ ...kept, rotatedAt: this.#in.clock.now() });
    });
  }

  /** Ends an operator; `not_found`, `storage_failed`. */
  remove(name: string): Promise<void> {
    return this.#in.writer.change(() => {
      this.#needed(name);
      return { writes: [{ kind: "operator", key: keyOf(name) }], result: () => {} };
    });
  }

  #issue(summary: OperatorSummary): Plan<IssuedOperator> {
    const token = `opr_${this.#in.random.bytes(32).toHex()}`;
    const value: OperatorRecord = { ...summary, tokenHash: hashOf(token) };
    const writes: Write[] = [{ kind: "operator", key: keyOf(value.name), value }];
    return { writes, result: () => ({ ...summary, token }) };
  }

  /** Names are one name whatever their case: two lines of a trail must not be told apart by it alone. */
  #holds(name: string): boolean {
    return keyOf(name) === ROOT_OPERATOR || this.#in.state.table("operator").has(keyOf(name));
  }

  #needed(name: string): OperatorRecord {
    const record = this.#in.state.table("operator").get(keyOf(name));
    if (record !== undefined) return record;
    const isRoot = keyOf(name) === ROOT_OPERATOR;
    throw new VaultError(isRoot ? "precondition_failed" : "not_found", `No operator ${quoteName(name)} is kept here`, {
      hint: isRoot
        ? "its token is admin.token in the data folder: remove that file, and the next start makes another"
        : "see `runevault operator list`",
    });
  }
}

/** Whether a scope is enough for something. */
export function mayDo(scope: OperatorScope, needed: OperatorScope): boolean {
  return OPERATOR_SCOPES.indexOf(scope) >= OPERATOR_SCOPES.indexOf(needed);
}

function parseScope(text: string): OperatorScope {
  const scope = OPERATOR_SCOPES.find((one) => one === text);
  if (scope !== undefined) return scope;
  throw new VaultError("invalid_argument", `Invalid scope ${quoteName(text)}`, { hint: "give read, tokens or all" });
}

function keyOf(name: string): string {
  return name.toLowerCase();
}

function idOf({ tokenHash }: OperatorRecord): string {
  return tokenHash.slice(0, 16);
}

function toSummary({ tokenHash: _secret, ...summary }: OperatorRecord): OperatorSummary {
  return summary;
}

function hashOf(token: string): string {
  return createHash("sha256").update(token, "utf8").digest("hex");
}
