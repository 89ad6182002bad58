/**
 * Tokens that a caller asks for: what they may be given, and what not.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { TokenRoleRecord } from "../storage/identity_records.ts";
import type { Writer } from "../writer.ts";
import { type ApiCaller, isRoot } from "./caller.ts";
import { checkedCidrs } from "./cidr.ts";
import type { Minted, MintSpec, ServiceTokens } from "./service_tokens.ts";

/** What a caller asks for; absent fields have the defaults of the API. */
export interface TokenRequest {
  readonly id?: string;
  readonly policies?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
  readonly ttl?: number;
  readonly period?: number;
  readonly explicitMaxTtl?: number;
  readonly numUses?: number;
  readonly displayName?: string;
  readonly renewable?: boolean;
  readonly noParent?: boolean;
  readonly noDefaultPolicy?: boolean;
  readonly type?: string;
  readonly entityAlias?: string;
}

/** How it was asked for. */
export interface CreationContext {
  readonly caller: ApiCaller;
  readonly hasSudo: boolean;
  readonly path: string;
  /** `auth/token/create-orphan`. */
  readonly isOrphanPath: boolean;
  readonly role?: TokenRoleRecord;
  /** Accessor of `token/`. */
  readonly mountAccessor: string;
  /** Of that mount, in seconds. */
  readonly lifetimes: { readonly defaultTtl: number; readonly maxTtl: number };
  policyExists(name: string): boolean;
}

const MAX_META_PAIRS = 64;
const MAX_POLICIES = 256;
const MAX_POLICY_NAME_LENGTH = 256;

/** Makes tokens for callers. */
export class TokenCreation {
  readonly #tokens: ServiceTokens;
  readonly #writer: Writer;

  constructor(tokens: ServiceTokens, writer: Writer) {
    this.#tokens = tokens;
    this.#writer = writer;
  }

  /**
   * Makes a token.
   *
   * @throws {VaultError} `invalid_argument` for what this caller may not give, `rate_limited`, `token_invalid`.
   */
  create(request: TokenRequest, context: CreationContext): Promise<Minted> {
    const { spec, warnings } = specOf(request, context);
    const plan = () => {
      this.#tokens.assertStillLive(context.caller);
      const minted = this.#tokens.planMint(spec);
      const all = { ...minted, warnings: [...warnings, ...minted.warnings] };
      return { writes: minted.writes, result: () => all };
    };
    // A chosen text may be chosen twice at once: it needs a turn of its own.
    return spec.id === undefined ? this.#writer.join(plan) : this.#writer.change(plan);
  }
}

function specOf(request: TokenRequest, context: CreationContext): { spec: MintSpec; warnings: string[] } {
  const { caller, hasSudo, role } = context;
  assertMayHaveChildren(caller);
  assertPlausible(request, hasSudo);
  const isOrphan = context.isOrphanPath || request.noParent === true || role?.orphan === true;
  const policies = policiesOf(request, context);
  const params = role?.params;
  const warnings = policies.filter((name) => !context.policyExists(name)).map((name) =>
    `Policy "${name}" does not exist`
  );
  if (request.id !== undefined) {
    warnings.push("a token whose ID was chosen is only as strong as that ID");
  }
  const period = params?.period || request.period || 0;
  const isForever = policies.includes("root") && !request.ttl && period === 0 && !request.explicitMaxTtl;
  if (isForever && caller.token?.expiresAt) {
    throw new VaultError("invalid_argument", "expiring root tokens cannot create non-expiring root tokens");
  }
  return {
    warnings,
    spec: {
      ...(request.id === undefined ? {} : { id: request.id }),
      policies,
      path: context.path + (role?.pathSuffix ? `/${role.pathSuffix}` : ""),
      mountAccessor: context.mountAccessor,
      displayName: displayNameOf(request.displayName),
      meta: checkedMeta(request.meta),
      entity: isOrphan ? null : caller.entity?.record ?? null,
      parent: caller,
      isOrphan,
      lifetime: isForever ? null : {
        ttl: request.ttl ?? 0,
        explicitMaxTtl: leastOf(request.explicitMaxTtl ?? 0, params?.explicitMaxTtl ?? 0),
        period,
        ...context.lifetimes,
      },
      renewable: (request.renewable ?? true) && (role?.renewable ?? true),
      numUses: leastOf(params?.numUses ?? 0, request.numUses ?? 0),
      boundCidrs: checkedCidrs(
        params?.boundCidrs.length ? params.boundCidrs : isOrphan ? [] : caller.token?.boundCidrs ?? [],
      ),
      ...(role === undefined ? {} : { role: role.name }),
    },
  };
}

function assertMayHaveChildren({ token }: ApiCaller): void {
  if (token === null || token.type === "service" && token.numUses === 0) return;
  throw new VaultError("invalid_argument", "restricted use token cannot generate child tokens");
}

function assertPlausible(request: TokenRequest, hasSudo: boolean): void {
  const needsSudo: [unknown, string][] = [
    [request.id, "root or sudo privileges required to specify token id"],
    [request.period, "root or sudo privileges required to create periodic token"],
    [request.noParent || undefined, "root or sudo privileges required to create orphan token"],
  ];
  for (const [given, message] of needsSudo) {
    if (given !== undefined && given !== 0 && !hasSudo) throw new VaultError("invalid_argument", message);
  }
  if ((request.numUses ?? 0) < 0) throw new VaultError("invalid_argument", "number of uses cannot be negative");
  if (request.type !== undefined && !["", "service"].includes(request.type)) {
    throw new VaultError("invalid_argument", "only tokens of type service can be made");
  }
  if (request.entityAlias) {
    throw new VaultError("invalid_argument", "entity aliases are only for token roles that allow them");
  }
  assertChosenId(request.id);
}

/** A chosen text may not look like one that the vault draws, and must be no easy guess. */
function assertChosenId(id: string | undefined): void {
  if (id === undefined) return;
  if (/^(s\.|hvs\.|evt_)/.test(id) || id.includes(".")) {
    throw new VaultError("invalid_argument", "custom token ID cannot have the prefix of a drawn one, or a '.'");
  }
  if (id.length >= 8 && id.length <= 512 && /^[\x21-\x7e]+$/.test(id)) return;
  throw new VaultError("invalid_argument", "custom token ID must be 8 to 512 printable characters");
}

function policiesOf(request: TokenRequest, context: CreationContext): string[] {
  const { caller, hasSudo, role } = context;
  const given = request.policies === undefined ? undefined : clean(request.policies);
  if (given?.includes("response-wrapping")) {
    throw new VaultError("invalid_argument", "policy response-wrapping cannot be given to a token");
  }
  if (role !== undefined) {
    const noDefaultPolicy = request.noDefaultPolicy === true || role.params.noDefaultPolicy ||
      isRefused("default", role);
    return withDefault(policiesByRole(given, role, caller), { ...request, noDefaultPolicy }, true);
  }
  if (given?.includes("root") && !isRoot(caller)) {
    throw new VaultError("invalid_argument", "root tokens may not be created without parent token being root");
  }
  const wanted = given === undefined || given.length === 0 ? [...caller.policies] : given;
  if (!hasSudo && !isRoot(caller)) {
    const held = new Set(caller.policies);
    if (wanted.some((name) => name !== "default" && !held.has(name))) {
      throw new VaultError("invalid_argument", "child policies must be subset of parent");
    }
    return withDefault(wanted, request, held.has("default"));
  }
  return withDefault(wanted, request, true);
}

function policiesByRole(given: string[] | undefined, role: TokenRoleRecord, caller: ApiCaller): string[] {
  const allowed = [...role.allowedPolicies];
  const isAllowed = (name: string) =>
    allowed.includes(name) || role.allowedPoliciesGlob.some((glob) => matchesGlob(glob, name));
  const isOpen = allowed.length + role.allowedPoliciesGlob.length === 0;
  const wanted = given === undefined || given.length === 0 ? (isOpen ? [...caller.policies] : allowed) : given;
  const bad = wanted.find((name) => name !== "default" && (isRefused(name, role) || !isOpen && !isAllowed(name)));
  if (bad !== undefined) {
    throw new VaultError(
      "invalid_argument",
      `token policies (${JSON.stringify(bad)}) must be subset of the role's allowed policies`,
    );
  }
  if (wanted.includes("root")) throw new VaultError("invalid_argument", "a token role cannot give root");
  const held = new Set(caller.policies);
  if (isOpen && !isRoot(caller) && wanted.some((name) => name !== "default" && !held.has(name))) {
    throw new VaultError("invalid_argument", "child policies must be subset of parent");
  }
  return wanted;
}

function isRefused(name: string, role: TokenRoleRecord): boolean {
  return role.disallowedPolicies.includes(name) || role.disallowedPoliciesGlob.some((glob) => matchesGlob(glob, name));
}

function withDefault(policies: readonly string[], request: TokenRequest, mayHaveDefault: boolean): string[] {
  if (policies.includes("root")) return ["root"];
  const wantsDefault = request.noDefaultPolicy !== true && mayHaveDefault;
  const others = request.noDefaultPolicy === true ? policies.filter((name) => name !== "default") : policies;
  return [...new Set(wantsDefault ? ["default", ...others] : others)].sort();
}

/** Globs of names: a `*` stands for anything. In one pass: what is before the last `*` is found as early as can be. */
export function matchesGlob(glob: string, name: string): boolean {
  const parts = glob.split("*");
  if (parts.length === 1) return glob === name;
  const [first, last] = [parts[0]!, parts.at(-1)!];
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}

function clean(policies: readonly string[]): string[] {
  if (policies.length > MAX_POLICIES || policies.some((name) => name.length > MAX_POLICY_NAME_LENGTH)) {
    throw new VaultError(
      "invalid_argument",
      `a token has at most ${MAX_POLICIES} policies, whose names have ${MAX_POLICY_NAME_LENGTH} characters at most`,
    );
  }
  return [...new Set(policies.map((name) => name.trim().toLowerCase()).filter((name) => name !== ""))].sort();
}

/** `token`, or `token-<name>` with all but letters, digits and dashes replaced. */
function displayNameOf(given: string | undefined): string {
  if (given === undefined || given === "" || given === "token") return "token";
  const bare = given.replace(/[^A-Za-z0-9-]/g, "-").replace(/^-+|-+$/g, "").slice(0, 64);
  return `token-${bare}`;
}

function checkedMeta(meta: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> | null {
  const entries = Object.entries(meta ?? {});
  if (entries.length === 0) return null;
  if (entries.length <= MAX_META_PAIRS && JSON.stringify(meta).length <= 16_384) return meta!;
  throw new VaultError("invalid_argument", "meta may have 64 pairs and 16384 bytes at most");
}

/** Of two limits of which 0 is none. */
function leastOf(a: number, b: number): number {
  return a === 0 ? b : b === 0 ? a : Math.min(a, b);
}
