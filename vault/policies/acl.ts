/**
 * Whether a caller may do something, and why.
 *
 * @module
 */

import type { Identity } from "../identity/identity.ts";
import type { MountTable } from "../mounts/mount_table.ts";
import type { ApiCaller } from "../service_tokens/caller.ts";
import type { User } from "../state.ts";
import { type Parameters, refusalOf } from "./parameters.ts";
import type { PolicyService } from "./policy_service.ts";
import { CAPABILITIES, type Capability, type Policy } from "./policy.ts";
import { type DroppedStanza, type Origin, type Rule, Rules } from "./rules.ts";
import type { TemplateSubject } from "./template.ts";

/** What is to be done to a path. */
export interface Access {
  /** Without `/v1/`; a list's ends in `/`. */
  readonly path: string;
  /** The same path as it is stored, where it is spelled otherwise; it must be allowed as well. */
  readonly canonicalPath?: string | undefined;
  readonly operation: "create" | "read" | "update" | "patch" | "delete" | "list" | "header" | "help";
  readonly parameters: Parameters;
  /** Null: no wrapping is asked for. */
  readonly wrapTtlSeconds: number | null;
  readonly needsSudo: boolean;
}

/** The answer. */
export interface Decision {
  readonly allowed: boolean;
  readonly hasSudo: boolean;
}

/** The answer with its reasons. */
export interface Explanation extends Decision {
  readonly reason: string;
  /** The pattern that counted, and the stanzas that it was merged from. */
  readonly pattern: string | null;
  readonly stanzas: readonly Origin[];
  readonly capabilities: readonly string[];
  readonly dropped: readonly DroppedStanza[];
  /** Policies that the caller has and nobody wrote. */
  readonly missingPolicies: readonly string[];
}

/** Whose policies are asked. */
export type Holder = Pick<ApiCaller, "policies" | "entity">;

/** The rules of a list of policies, for an entity as it was. */
interface QuickRules {
  readonly entityId: string | undefined;
  readonly entityStamp: number;
  readonly rules: Rules;
}

const ROOT_DECISION: Decision = { allowed: true, hasSudo: true };
const MAX_CACHED = 10_000;
const NAMES: readonly Capability[] = ["create", "delete", "list", "patch", "read", "sudo", "update"];
const NEEDED: Readonly<Record<Access["operation"], number>> = {
  create: CAPABILITIES.create,
  read: CAPABILITIES.read,
  update: CAPABILITIES.update,
  patch: CAPABILITIES.patch,
  delete: CAPABILITIES.delete,
  list: CAPABILITIES.list,
  header: CAPABILITIES.read,
  help: 0,
};
/** Lists and deletions carry no data that a policy could speak of. */
const WITHOUT_DATA = new Set<Access["operation"]>(["list", "delete", "header", "help"]);

/** Answers from policies. */
export class Acl {
  readonly #policies: PolicyService;
  readonly #identity: Identity;
  readonly #mounts: MountTable;
  readonly #cache = new Map<string, Rules>();
  /** The same by the list of policies that a token's record holds, so that most requests needn't join it to a key. */
  #quick = new WeakMap<readonly string[], QuickRules>();
  #cachedStamp = -1;

  constructor(policies: PolicyService, identity: Identity, mounts: MountTable) {
    this.#policies = policies;
    this.#identity = identity;
    this.#mounts = mounts;
  }

  /** Whether a caller may do something. */
  check(caller: Holder, access: Access): Decision {
    if (caller.policies.includes("root")) return ROOT_DECISION;
    const rules = rulesFor(this.#rulesOf(caller), access);
    const hasSudo = rules.every((rule) => rule !== undefined && (rule.capabilities & CAPABILITIES.sudo) !== 0);
    if (access.operation === "help") return { allowed: true, hasSudo };
    return { allowed: rules.every((rule) => whyNot(rule, access) === undefined), hasSudo };
  }

  /** {@link check} with its reasons. */
  explain(caller: Holder, access: Access): Explanation {
    const decision = this.check(caller, access);
    if (caller.policies.includes("root")) return { ...decision, ...ROOT_REASONS };
    const rules = this.#rulesOf(caller);
    const [asked, ...others] = rulesFor(rules, access);
    const rule = [asked, ...others].find((one) => whyNot(one, access) !== undefined) ?? asked;
    const names = this.#namesOf(caller);
    return {
      ...decision,
      reason: whyNot(rule, access) ?? "granted",
      pattern: rule?.pattern.text ?? null,
      stanzas: rule?.origins ?? [],
      capabilities: namesOf(rule),
      dropped: rules.dropped,
      missingPolicies: names.filter((name) => this.#policies.parsed(name) === undefined),
    };
  }

  /** The capabilities of a caller on a path; `["root"]`, or `["deny"]` where there are none. */
  capabilities(caller: Holder, path: string): string[] {
    if (caller.policies.includes("root")) return ["root"];
    return namesOf(this.#rulesOf(caller).find(path, path.endsWith("/")));
  }

  /** Whether a caller's policies grant anything at a path or below it. */
  hasAccessBelow(caller: Holder, prefix: string): boolean {
    if (caller.policies.includes("root")) return true;
    return this.#rulesOf(caller).all().some(({ capabilities, pattern }) => {
      if (capabilities === 0 || capabilities & CAPABILITIES.deny) return false;
      const fixed = pattern.text.split(/[+*]/)[0]!;
      return fixed.startsWith(prefix) || !pattern.isExact && prefix.startsWith(fixed);
    });
  }

  /** Every rule of a caller by its path, as the web interface of Vault wants it. */
  resultant(caller: Holder): Record<string, unknown> {
    if (caller.policies.includes("root")) return { root: true };
    const exact: Record<string, unknown> = {};
    const glob: Record<string, unknown> = {};
    for (const rule of this.#rulesOf(caller).all()) {
      const capabilities = namesOf(rule);
      if (rule.pattern.isExact) exact[rule.pattern.text] = { capabilities };
      else glob[globKey(rule.pattern.text)] = { capabilities };
    }
    return { root: false, exact_paths: exact, glob_paths: glob };
  }

  #rulesOf(caller: Holder): Rules {
    const stamp = this.#policies.stamp + this.#mounts.stamp;
    if (this.#cachedStamp !== stamp) {
      this.#cache.clear();
      this.#quick = new WeakMap();
      this.#cachedStamp = stamp;
    }
    const { entity, policies } = caller;
    const entityStamp = entity === null ? 0 : this.#identity.stampOf(entity);
    const quick = this.#quick.get(policies);
    if (quick !== undefined && quick.entityId === entity?.record.entityId && quick.entityStamp === entityStamp) {
      return quick.rules;
    }
    const rules = this.#rulesByKey(caller, entityStamp);
    this.#quick.set(policies, { entityId: entity?.record.entityId, entityStamp, rules });
    return rules;
  }

  #rulesByKey(caller: Holder, entityStamp: number): Rules {
    const { entity } = caller;
    const who = entity === null ? "" : `${entity.record.entityId} ${entityStamp}`;
    const key = `${who} ${caller.policies.join("\0")}`;
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const rules = this.#build(caller);
    if (this.#cache.size >= MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value!);
    this.#cache.set(key, rules);
    return rules;
  }

  #build(caller: Holder): Rules {
    const policies = this.#namesOf(caller).map((name) => [name, this.#policies.parsed(name)] as const)
      .filter((pair): pair is readonly [string, Policy] => pair[1] !== undefined);
    return new Rules(policies, this.#subjectOf(caller.entity));
  }

  /** Policies of the token, of the entity and of its groups; only a token can be root. */
  #namesOf({ policies, entity }: Holder): string[] {
    const own = entity === null ? [] : this.#identity.policiesOf(entity).filter((name) => name !== "root");
    return [...new Set([...policies, ...own])];
  }

  #subjectOf(entity: User | null): TemplateSubject {
    return {
      view: entity === null ? null : this.#identity.view(entity),
      accessorOf: (name) => this.#mounts.resolve(name)?.accessor,
    };
  }
}

const ROOT_REASONS = {
  reason: "root",
  pattern: null,
  stanzas: [],
  capabilities: ["root"],
  dropped: [],
  missingPolicies: [],
} as const;

/** The rule of a path, and that of its stored spelling where one speaks of it. */
function rulesFor(rules: Rules, { path, canonicalPath, operation }: Access): (Rule | undefined)[] {
  const asked = rules.find(path, operation === "list");
  if (canonicalPath === undefined) return [asked];
  const stored = rules.find(canonicalPath, operation === "list");
  return stored === undefined ? [asked] : [asked, stored];
}

/** Why a rule doesn't allow something; undefined where it does. */
function whyNot(rule: Rule | undefined, access: Access): string | undefined {
  if (rule === undefined) return "no policy speaks of this path";
  if (rule.capabilities & CAPABILITIES.deny) return "the path is denied";
  const needed = NEEDED[access.operation];
  if ((rule.capabilities & needed) !== needed) return `the capability "${access.operation}" is not granted`;
  if (access.needsSudo && !(rule.capabilities & CAPABILITIES.sudo)) return "the path needs sudo as well";
  return wrappingRefusal(rule, access.wrapTtlSeconds) ??
    (WITHOUT_DATA.has(access.operation) ? undefined : refusalOf(rule, access.parameters));
}

function wrappingRefusal({ minWrappingTtl, maxWrappingTtl }: Rule, ttl: number | null): string | undefined {
  if (minWrappingTtl === null && maxWrappingTtl === null) return undefined;
  if (ttl === null) return "the answer must be wrapped";
  if (minWrappingTtl !== null && ttl < minWrappingTtl) return "the wrapping TTL is too short";
  return maxWrappingTtl !== null && ttl > maxWrappingTtl ? "the wrapping TTL is too long" : undefined;
}

/** A prefix stands without its star, as upstream has it; with a `+` in it, it would be taken for the pattern without. */
function globKey(pattern: string): string {
  return pattern.includes("+") ? pattern : pattern.replace(/\*$/, "");
}

function namesOf(rule: Rule | undefined): string[] {
  const granted = rule === undefined ? [] : NAMES.filter((name) => (rule.capabilities & CAPABILITIES[name]) !== 0);
  return granted.length === 0 ? ["deny"] : granted;
}
