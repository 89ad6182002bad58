/**
 * An admin vault in memory: enough of the domain's answers and refusals to drive the admin API and the CLI with.
 *
 * @module
 */

import type { AdminVault } from "../../admin/ports.ts";
import type { FheKeyRecord, FileStatus, Role, SecretVersion, TokenSummary, UserSummary } from "../../vault/mod.ts";
import { DAY_MS, expiryAfterDays } from "../../vault/dates.ts";
import { VaultError } from "../../vault/errors.ts";
import { assertName } from "../../vault/names.ts";
import { parseRateLimit } from "../../vault/roles/rate_limit.ts";

/** 2026-03-20T10:00:00Z */
export const FAKE_NOW = Date.UTC(2026, 2, 20, 10);

/** Tokens of operators with the scopes `read` and `tokens`. */
export const FAKE_READER = `opr_${"1".repeat(64)}`;
export const FAKE_ISSUER = `opr_${"2".repeat(64)}`;

const MEMBER: Role = {
  name: "member",
  scope: ["get_public_key", "decrypt_scores", "decrypt_metadata"],
  topK: 10,
  rateLimit: { count: 30, seconds: 60 },
};

/** What tests look into. */
export interface FakeAdminVault extends AdminVault {
  readonly rows: Map<string, TokenSummary>;
  readonly disabled: Set<string>;
  /** Every call that changed something, such as `issue alice`. */
  readonly calls: string[];
  /** What the next change throws. */
  failNext(error: unknown): void;
}

/** A vault with one role, `member`, and no user. */
export function fakeAdminVault(): FakeAdminVault {
  const rows = new Map<string, TokenSummary>();
  /** Revoked tokens: a user outlives theirs. */
  const former = new Map<string, TokenSummary>();
  const roles = new Map<string, Role>([["member", MEMBER]]);
  const disabled = new Set<string>();
  const calls: string[] = [];
  let failure: unknown;
  const change = (call: string): void => {
    const thrown = failure;
    failure = undefined;
    if (thrown !== undefined) throw thrown;
    calls.push(call);
  };
  return {
    rows,
    disabled,
    calls,
    failNext: (error) => failure = error,
    tokens: fakeTokens(rows, former, roles, change),
    roles: fakeRoles(roles, change),
    users: fakeUsers(rows, former, disabled, change),
    operators: fakeOperators(change),
    secrets: fakeSecrets(change),
    envelopes: { rewrap: (envelopes) => Promise.resolve(envelopes.map(fakeRewrap)) },
    keyRing: fakeKeyRing(change),
    files: fakeFiles(change),
    auditReader: undefined,
    state: { tokens: new Map() },
    clockGuard: fakeClockGuard(change),
    engine: {
      accounts: fakeAccounts(change),
      policies: { exists: (name) => name === "default" },
      cutOff: fakeCutOff(disabled, change),
      database: { roles: { assertNoneNamed: () => {} } },
      rootTokens: fakeRootTokens(change),
    },
  };
}

/** A row as `token list` shows it. */
export function fakeToken(user: string, serial: number, expiresDays?: number): TokenSummary {
  return {
    user,
    role: "member",
    topK: MEMBER.topK,
    rateLimit: MEMBER.rateLimit,
    issuedAt: FAKE_NOW,
    expiresAt: expiresDays === undefined ? null : expiryAfterDays(FAKE_NOW, expiresDays),
    agentId: serial.toString(16).padStart(32, "0"),
    secretVersion: 1,
    graceUntil: null,
  };
}

function fakeAccounts(change: Change): AdminVault["engine"]["accounts"] {
  return {
    create: ({ name }) => Promise.resolve(change(`account ${name}`)),
    setPassword: (name) => Promise.resolve(change(`password ${name}`)),
    link: (name, login) => Promise.resolve(change(`link ${name} ${login}`)),
    unlock: (name) => change(`unlock ${name}`),
    loginsOf: () => [],
  };
}

/** Two operators, named by their scopes. */
function fakeOperators(change: Change): AdminVault["operators"] {
  const tokens: Readonly<Record<string, string>> = { read: FAKE_READER, tokens: FAKE_ISSUER };
  const summary = (
    name: string,
  ) => ({ name, scope: name === "read" ? "read" : "tokens", createdAt: FAKE_NOW } as const);
  return {
    identify: (token) => Object.keys(tokens).filter((name) => tokens[name] === token).map(summary)[0],
    digestById: () => undefined,
    list: () => Object.keys(tokens).map(summary),
    add: (name, scope) => {
      change(`operator ${name} ${scope}`);
      return Promise.resolve({ ...summary(name), token: `opr_${"ab".repeat(32)}` });
    },
    rotate: (name) => {
      change(`rotate operator ${name}`);
      return Promise.resolve({ ...summary(name), token: `opr_${"cd".repeat(32)}` });
    },
    remove: (name) => Promise.resolve(change(`remove operator ${name}`)),
  };
}

function fakeCutOff(disabled: Set<string>, change: Change): AdminVault["engine"]["cutOff"] {
  const report = (user: string) => ({
    user,
    entityId: `entity-${user}`,
    cutOff: { at: FAKE_NOW },
    ended: { evtTokens: 1, serviceTokens: 2, wrappedAnswers: 0, leases: 1 },
    blockedLogins: [`auth/userpass/login/${user}`],
    openNamesakes: [],
    pending: [{ leaseId: "database/creds/app/1", account: "v-app on pg", since: FAKE_NOW, reason: "refused" }],
    held: [{ what: "score rows", since: null, rows: 251, remedy: "runevault keys rotate" } as const],
  });
  return {
    cutOff: (user, reason) => {
      change(`cutoff ${user} ${reason ?? ""}`);
      disabled.add(user);
      return Promise.resolve(report(user));
    },
    show: report,
    restore: (user) => {
      change(`restore ${user}`);
      disabled.delete(user);
      return Promise.resolve({ user, disabled: false });
    },
  };
}

function fakeRootTokens(change: Change): AdminVault["engine"]["rootTokens"] {
  return {
    make: () => {
      change("root token");
      return Promise.resolve({ accessor: "a".repeat(24), createdAt: FAKE_NOW, expiresAt: null, token: "hvs.fake" });
    },
    list: () => [{ accessor: "a".repeat(24), createdAt: FAKE_NOW, expiresAt: null }],
    revoke: (accessor) => Promise.resolve(change(`revoke root ${accessor}`)),
  };
}

type Change = (call: string) => void;

function fakeTokens(
  rows: Map<string, TokenSummary>,
  former: Map<string, TokenSummary>,
  roles: Map<string, Role>,
  change: Change,
): AdminVault["tokens"] {
  const token = () => `evt_${rows.size.toString(16).padStart(32, "0")}`;
  return {
    issue: ({ user, role, expiresDays }) =>
      Promise.resolve().then(() => {
        assertName("user", user);
        if (rows.has(user)) throw new VaultError("already_exists", `User "${user}" already has a token`);
        need(roles, role, "role");
        change(`issue ${user}`);
        rows.set(user, fakeToken(user, rows.size + 1, expiresDays));
        return { ...need(rows, user, "user"), token: token() };
      }),
    rotate: ({ user, graceSeconds = 0 }) =>
      Promise.resolve().then(() => {
        const old = need(rows, user, "user");
        change(`rotate ${user}`);
        const graceUntil = graceSeconds > 0 ? FAKE_NOW + graceSeconds * 1000 : null;
        rows.set(user, { ...old, graceUntil });
        return { ...need(rows, user, "user"), token: token() };
      }),
    revoke: (user) =>
      Promise.resolve().then(() => {
        const old = need(rows, user, "user");
        change(`revoke ${user}`);
        rows.delete(user);
        former.set(user, old);
        return { user, disabled: false, scoreRows: 0 };
      }),
    show: (user) => need(rows, user, "user"),
    list: (page) => paged(rows, page),
  };
}

function fakeRoles(roles: Map<string, Role>, change: Change): AdminVault["roles"] {
  return {
    list: () => [...roles.values()],
    show: (name) => need(roles, name, "role"),
    create: ({ name, scope, topK, rateLimit }) =>
      Promise.resolve().then(() => {
        assertName("role", name);
        change(`create ${name}`);
        roles.set(name, { name, scope: scope as Role["scope"], topK, rateLimit: parseRateLimit(rateLimit) });
        return need(roles, name, "role");
      }),
    update: (name, wanted) =>
      Promise.resolve().then(() => {
        const old = need(roles, name, "role");
        change(`update ${name}`);
        roles.set(name, { ...old, topK: wanted.topK ?? old.topK });
        return need(roles, name, "role");
      }),
    delete: (name) =>
      Promise.resolve().then(() => {
        need(roles, name, "role");
        if (name === "member") throw new VaultError("precondition_failed", `Role "member" is a default role`);
        change(`delete ${name}`);
        roles.delete(name);
      }),
  };
}

function fakeUsers(
  rows: Map<string, TokenSummary>,
  former: Map<string, TokenSummary>,
  disabled: Set<string>,
  change: Change,
): AdminVault["users"] {
  const summary = (token: TokenSummary): UserSummary => ({
    name: token.user,
    entityId: `ent-${token.agentId.slice(-4)}`,
    cutOff: null,
    disabled: disabled.has(token.user),
    createdAt: FAKE_NOW,
    epoch: 1,
    token,
    agentKeyLeftAt: FAKE_NOW + DAY_MS,
    indexKeyLeftAt: null,
    scoreRows: 0,
  });
  const set = (name: string, isDisabled: boolean) =>
    Promise.resolve().then(() => {
      need(rows, name, "user");
      change(`${isDisabled ? "disable" : "enable"} ${name}`);
      if (isDisabled) disabled.add(name);
      else disabled.delete(name);
      return summary(need(rows, name, "user"));
    });
  return {
    *list(page) {
      for (const token of paged(rows, page)) yield summary(token);
    },
    show: (name) => summary(rows.get(name) ?? need(former, name, "user")),
    disable: (name) => set(name, true),
    enable: (name) => set(name, false),
  };
}

function fakeKeyRing(change: Change): AdminVault["keyRing"] {
  const sets = new Map<string, FheKeyRecord>();
  const add = (keyId: string, dimension: number): FheKeyRecord => {
    change(`key set ${keyId}`);
    for (const [id, record] of sets) sets.set(id, { ...record, active: false });
    const record: FheKeyRecord = {
      keyId,
      dimension,
      createdAt: FAKE_NOW,
      expiresAt: FAKE_NOW + 1825 * DAY_MS,
      addedAt: FAKE_NOW,
      active: true,
      secretKeySha256: "c2Vj",
      encryptionKeySha256: "ZW5j",
      evaluationKeySha256: "ZXZhbA==",
    };
    sets.set(keyId, record);
    return record;
  };
  return {
    list: () => [...sets.values()].reverse(),
    show: (id) => need(sets, id, "key set"),
    generate: ({ dimension, keyId }) => Promise.resolve().then(() => add(keyId ?? "vault-key", dimension)),
    rotate: () => Promise.resolve().then(() => add(`vault-key-${sets.size + 1}`, 1024)),
    import: () => Promise.resolve().then(() => add("imported", 1024)),
    export: (id) =>
      Promise.resolve().then(() => {
        need(sets, id, "key set");
        return { secKeyJson: "{sec}", encKeyJson: "{enc}", evalKeyJson: "{eval}" };
      }),
  };
}

function fakeSecrets(change: Change): AdminVault["secrets"] {
  const versions: SecretVersion[] = [
    { version: 1, state: "active", createdAt: FAKE_NOW, fingerprint: "00112233aabbccdd", liveTokens: 0 },
  ];
  return {
    list: () => versions,
    rotate: () =>
      Promise.resolve().then(() => {
        change("rotate secret");
        const made = { ...versions[0]!, version: versions.length + 1 };
        versions.push(made);
        return made;
      }),
    retire: (version) =>
      Promise.resolve().then(() => {
        change(`retire ${version}`);
        return { ...versions[0]!, version, state: "retired" };
      }),
  };
}

function fakeFiles(change: Change): AdminVault["files"] {
  const file = (name: "roles" | "tokens"): FileStatus => ({
    name,
    path: `/var/lib/runevault/vault-${name}.yml`,
    generation: 7,
    state: name === "roles" ? "written" : "refused",
    reason: name === "roles" ? null : "edited from generation 5",
  });
  const differences = [{ row: "bob", change: "removed", detail: "revoked in generation 6" }] as const;
  return {
    status: () => [file("roles"), file("tokens")],
    diff: () => Promise.resolve(differences),
    take: (name) => Promise.resolve().then(() => (change(`take ${name}`), differences)),
    discard: (name) => Promise.resolve().then(() => (change(`discard ${name}`), { ...file(name), state: "written" })),
  };
}

/** Marks an envelope; one that says `bad` fails as the domain's does. */
function fakeRewrap(envelope: string, index: number): string {
  if (!envelope.includes("bad")) return envelope.replace('"v":1', '"v":2');
  throw new VaultError("ciphertext_invalid", `Envelope ${index} can't be opened`, { data: { index } });
}

function need<T>(map: ReadonlyMap<string, T>, name: string, what: string): T {
  const found = map.get(name);
  if (found !== undefined) return found;
  throw new VaultError("not_found", `No ${what} ${JSON.stringify(name.slice(0, 80))}`);
}

function* paged(rows: Map<string, TokenSummary>, page: { after?: string; limit?: number } = {}) {
  let skipping = page.after !== undefined;
  if (page.after !== undefined) need(rows, page.after, "user");
  let left = page.limit ?? Infinity;
  for (const row of rows.values()) {
    if (!skipping && left-- > 0) yield row;
    if (row.user === page.after) skipping = false;
  }
}

/** A clock in doubt until it is accepted. */
function fakeClockGuard(change: (call: string) => void): AdminVault["clockGuard"] {
  let isAccepted = false;
  const status = () =>
    isAccepted
      ? { state: "trusted", reason: null } as const
      : { state: "doubted", reason: "the clock went forward by 61 minutes at once" } as const;
  return {
    status,
    accept: () => {
      change("clock accept");
      isAccepted = true;
      return Promise.resolve(status());
    },
  };
}
