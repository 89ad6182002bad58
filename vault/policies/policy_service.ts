/**
 * Policies by name.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { VaultError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { VaultState } from "../state.ts";
import type { PolicyRecord } from "../storage/identity_records.ts";
import type { Writer } from "../writer.ts";
import { DEFAULT_POLICY, FORMER_DEFAULT_POLICIES, RESPONSE_WRAPPING_POLICY } from "./default_policies.ts";
import { parsePolicy, type Policy } from "./policy.ts";

const MAX_NAME_LENGTH = 256;
/** What is read in a few milliseconds. Larger ones that are stored already go on to be read. */
const MAX_WRITTEN_LENGTH = 65_536;
const MAX_WRITTEN_PATHS = 1000;
/** They are made by the program, not by anybody. */
const IMMUTABLE = ["root", "response-wrapping"];

/** What policies need. */
export interface PolicySurroundings {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly clock: Clock;
}

/** Everything that is done to policies. A change binds every token from its next request on. */
export class PolicyService {
  readonly #in: PolicySurroundings;
  readonly #parsed = new WeakMap<PolicyRecord, Policy>();
  readonly #wrapping = parsePolicy(RESPONSE_WRAPPING_POLICY);
  #stamp = 0;

  constructor(surroundings: PolicySurroundings) {
    this.#in = surroundings;
    surroundings.state.watch("policy", () => void this.#stamp++);
  }

  /** Grows with every change of any policy. */
  get stamp(): number {
    return this.#stamp;
  }

  /** Makes the policy `default` of a new vault; one of an earlier version that nobody changed becomes the present one. */
  ensureDefault(): Promise<void> {
    return this.#in.writer.change(() => {
      const stored = this.get("default");
      if (stored !== undefined && !isFormerDefault(stored)) return { writes: [], result: () => {} };
      const version = (stored?.version ?? 0) + 1;
      const value = { name: "default", text: DEFAULT_POLICY, version, updatedAt: this.#in.clock.now() };
      return { writes: [{ kind: "policy", key: "default", value }], result: () => {} };
    });
  }

  /** A policy by its name; `root` has no text. */
  get(name: string): PolicyRecord | undefined {
    if (name === "root") return { name, text: "", version: 1, updatedAt: 0 };
    return this.#in.state.table("policy").get(name);
  }

  /** Whether a token's policy of this name would give it anything. */
  exists(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** All names, `root` last. */
  list(): string[] {
    return [...[...this.#in.state.table("policy").keys()].sort(), "root"];
  }

  /** A policy, read; undefined where there is none. */
  parsed(name: string): Policy | undefined {
    if (name === "response-wrapping") return this.#wrapping;
    const record = this.#in.state.table("policy").get(name);
    if (record === undefined) return undefined;
    const known = this.#parsed.get(record);
    if (known !== undefined) return known;
    const policy = parsePolicy(record.text);
    this.#parsed.set(record, policy);
    return policy;
  }

  /**
   * Writes a policy.
   *
   * @returns What its author should know.
   * @throws {VaultError} `invalid_argument` for a text that is none, and for names that can't be written.
   */
  put(name: string, text: string): Promise<readonly string[]> {
    return this.#in.writer.change(() => {
      assertName(name);
      if (IMMUTABLE.includes(name)) throw new VaultError("invalid_argument", `cannot update "${name}" policy`);
      const { stanzas, warnings } = parsePolicy(text);
      if (text.length > MAX_WRITTEN_LENGTH || stanzas.length > MAX_WRITTEN_PATHS) {
        throw new VaultError("invalid_argument", "the policy is too large", {
          hint:
            `at most ${MAX_WRITTEN_PATHS} paths and ${MAX_WRITTEN_LENGTH} characters: use wildcards, or several policies`,
        });
      }
      const version = (this.get(name)?.version ?? 0) + 1;
      const value = { name, text, version, updatedAt: this.#in.clock.now() };
      return { writes: [{ kind: "policy", key: name, value }], result: () => warnings };
    });
  }

  /**
   * Deletes a policy; absent: nothing.
   *
   * @throws {VaultError} `invalid_argument` for one that every vault has.
   */
  delete(name: string): Promise<void> {
    return this.#in.writer.change(() => {
      if (name === "default") throw new VaultError("invalid_argument", "cannot delete default policy");
      if (IMMUTABLE.includes(name)) throw new VaultError("invalid_argument", `cannot delete "${name}" policy`);
      const isThere = this.#in.state.table("policy").has(name);
      return { writes: isThere ? [{ kind: "policy", key: name }] : [], result: () => {} };
    });
  }

  /** The names of policies whose text speaks of a word, such as an accessor's stable name. */
  mentioning(word: string): string[] {
    return [...this.#in.state.table("policy").values()].filter(({ text }) => text.includes(word)).map(({ name }) =>
      name
    );
  }
}

function assertName(name: string): void {
  // deno-lint-ignore no-control-regex -- they are what is looked for
  if (name !== "" && name.length <= MAX_NAME_LENGTH && name.isWellFormed() && !/[\x00-\x1f\x7f,]/.test(name)) return;
  throw new VaultError("invalid_argument", "invalid policy name");
}

function isFormerDefault({ text }: PolicyRecord): boolean {
  return FORMER_DEFAULT_POLICIES.has(createHash("sha256").update(text, "utf8").digest("hex"));
}
