/**
 * `auth/token`: tokens made, looked up, renewed and revoked.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { Identity } from "../../../vault/identity/identity.ts";
import type { MountTable } from "../../../vault/mounts/mount_table.ts";
import type { Clock } from "../../../vault/ports.ts";
import type { ApiCaller } from "../../../vault/service_tokens/caller.ts";
import type { TokenCreation, TokenRequest } from "../../../vault/service_tokens/creation.ts";
import type { TokenRenewal } from "../../../vault/service_tokens/renewal.ts";
import type { ServiceTokens } from "../../../vault/service_tokens/service_tokens.ts";
import type { TokenRoles } from "../../../vault/service_tokens/token_roles.ts";
import type { ServiceTokenRecord } from "../../../vault/storage/identity_records.ts";
import { authBlock, evtTokenInfo, tokenInfo } from "../auth_block.ts";
import { bool, duration, int, list, text, textMap, type Values } from "../fields.ts";
import { BAD_TOKEN, HttpProblem, wrapped } from "../problem.ts";
import { type ApiAnswer, type ApiRequest, type Route, route } from "../route.ts";
import { tokenRoleRoutes } from "./auth_token_roles.ts";

/** What these routes need. */
export interface TokenRouteParts {
  readonly tokens: ServiceTokens;
  readonly creation: TokenCreation;
  readonly renewal: TokenRenewal;
  readonly roles: TokenRoles;
  readonly identity: Identity;
  readonly mounts: MountTable;
  readonly clock: Clock;
  policyExists(name: string): boolean;
}

const CREATE = {
  id: text("the token itself; needs sudo"),
  policies: list("policies of the token; absent: the caller's"),
  meta: textMap("facts about the token"),
  ttl: duration("how long it lives"),
  lease: duration("the old name of ttl"),
  period: duration("how long each renewal lasts; needs sudo"),
  explicit_max_ttl: duration("the most that it may live, renewed or not"),
  num_uses: int("how often it may be used; 0: as often as one likes"),
  display_name: text("a name for people"),
  renewable: bool("whether it can be renewed"),
  no_parent: bool("whether it outlives the caller's token; needs sudo"),
  no_default_policy: bool("whether it goes without the policy `default`"),
  type: text("`service`"),
  entity_alias: text("refused: only token roles of Vault know it"),
};

/** The routes. */
export function authTokenRoutes(parts: TokenRouteParts): Route[] {
  return [...creationRoutes(parts), ...lookupRoutes(parts), ...renewalRoutes(parts), ...revocationRoutes(parts)]
    .concat(tokenRoleRoutes(parts.roles));
}

function creationRoutes(parts: TokenRouteParts): Route[] {
  const create = (path: string, summary: string): Route =>
    route({ path, summary, fields: CREATE, write: (request) => makeToken(parts, request, path) });
  return [
    create("create", "Makes a token that ends with the caller's."),
    create("create-orphan", "Makes a token that outlives the caller's."),
    create("create/:name.role", "Makes a token by a token role."),
  ];
}

async function makeToken(
  parts: TokenRouteParts,
  request: ApiRequest<typeof CREATE>,
  route: string,
): Promise<ApiAnswer> {
  const name = request.params["role"];
  const role = name === undefined ? undefined : parts.roles.get(name);
  if (name !== undefined && role === undefined) throw new VaultError("invalid_argument", `unknown role ${name}`);
  const minted = await parts.creation.create(requestOf(request.values), {
    caller: request.caller,
    hasSudo: request.hasSudo,
    path: request.path,
    isOrphanPath: route === "create-orphan",
    mountAccessor: request.mount.accessor,
    lifetimes: parts.mounts.lifetimes(request.mount),
    policyExists: parts.policyExists,
    ...(role === undefined ? {} : { role }),
  });
  minted.warnings.forEach(request.warn);
  return { auth: authBlock(minted.token, minted.record, parts.identity) };
}

/** The CLI sends zero and empty for what it leaves open. */
function requestOf(values: Values<typeof CREATE>): TokenRequest {
  const ttl = values.ttl ?? values.lease;
  return {
    ...(values.id ? { id: values.id } : {}),
    ...(values.policies === undefined ? {} : { policies: values.policies }),
    ...(values.meta === undefined ? {} : { meta: values.meta }),
    ...(ttl === undefined ? {} : { ttl }),
    ...(values.period ? { period: values.period } : {}),
    ...(values.explicit_max_ttl ? { explicitMaxTtl: values.explicit_max_ttl } : {}),
    ...(values.num_uses === undefined ? {} : { numUses: values.num_uses }),
    ...(values.display_name === undefined ? {} : { displayName: values.display_name }),
    ...(values.renewable === undefined ? {} : { renewable: values.renewable }),
    ...(values.no_parent === undefined ? {} : { noParent: values.no_parent }),
    ...(values.no_default_policy === undefined ? {} : { noDefaultPolicy: values.no_default_policy }),
    ...(values.type === undefined ? {} : { type: values.type }),
    ...(values.entity_alias ? { entityAlias: values.entity_alias } : {}),
  };
}

function lookupRoutes(parts: TokenRouteParts): Route[] {
  const self = (request: ApiRequest): ApiAnswer => ({ data: infoOfCaller(request, parts) });
  return [
    route({
      path: "lookup",
      summary: "What is known of a token.",
      fields: { token: text("the token; absent: the caller's own") },
      read: (request) => lookup(request, request.values.token, parts),
      write: (request) => lookup(request, request.values.token, parts),
    }),
    route({ path: "lookup-self", summary: "What is known of the caller's token.", read: self, write: self }),
    route({
      path: "lookup-accessor",
      summary: "What is known of the token with an accessor.",
      fields: { accessor: text("the accessor") },
      write: ({ values }) => ({ data: info("", liveByAccessor(values.accessor, parts), parts) }),
    }),
    route({
      path: "accessors",
      summary: "The accessors of all tokens.",
      needsSudo: true,
      list: () => {
        const keys = parts.tokens.index.accessors();
        return keys.length === 0 ? null : { data: { keys } };
      },
    }),
  ];
}

function lookup(request: ApiRequest, token: string | undefined, parts: TokenRouteParts): ApiAnswer {
  if (!token) return { data: infoOfCaller(request, parts) };
  const record = parts.tokens.find(token);
  if (record !== undefined && parts.tokens.isLive(record)) return { data: info(token, record, parts) };
  const evt = parts.tokens.findEvt(token);
  if (evt === undefined) throw new HttpProblem(403, [wrapped("bad token")]);
  return { data: evtTokenInfo(evt, parts.identity, parts.clock.now()) };
}

/** Reads the record anew: the caller's shows a use more than is left. */
function infoOfCaller(request: ApiRequest, parts: TokenRouteParts): Record<string, unknown> {
  const { caller, headers } = request;
  if (caller.evt !== null) return evtTokenInfo(caller, parts.identity, parts.clock.now());
  const record = caller.token === null ? undefined : parts.tokens.index.get(caller.token.hash);
  if (record === undefined) throw BAD_TOKEN;
  return info(headers.get("x-vault-token") ?? headers.get("authorization")?.slice(7) ?? "", record, parts);
}

function info(id: string, record: ServiceTokenRecord, { identity, clock }: TokenRouteParts): Record<string, unknown> {
  return tokenInfo(id, record, identity, clock.now());
}

function renewalRoutes(parts: TokenRouteParts): Route[] {
  const increment = duration("seconds from now; 0: as long as before");
  return [
    route({
      path: "renew",
      summary: "Renews a token.",
      fields: { token: text("the token"), increment },
      write: (request) => {
        const { token } = request.values;
        if (!token) throw new VaultError("invalid_argument", "missing token ID");
        return renew(request, token, parts.tokens.find(token)?.hash, parts);
      },
    }),
    route({
      path: "renew-self",
      summary: "Renews the caller's token.",
      fields: { token: text("ignored"), increment },
      write: (request) => {
        const token = request.headers.get("x-vault-token") ?? request.headers.get("authorization")?.slice(7) ?? "";
        return renew(request, token, request.caller.isLastUse ? undefined : request.caller.token?.hash, parts);
      },
    }),
    route({
      path: "renew-accessor",
      summary: "Renews the token with an accessor.",
      fields: { accessor: text("the accessor"), increment },
      write: (request) => renew(request, "", liveByAccessor(request.values.accessor, parts).hash, parts),
    }),
  ];
}

async function renew(
  request: ApiRequest<{ increment: ReturnType<typeof duration> }>,
  token: string,
  hash: string | undefined,
  parts: TokenRouteParts,
): Promise<ApiAnswer> {
  if (hash === undefined && request.caller.evt !== null && request.route === "renew-self") {
    throw new VaultError("invalid_argument", "lease is not renewable", {
      hint: "an evt token is rotated by the operator: `runevault token rotate`",
    });
  }
  if (hash === undefined) throw new VaultError("invalid_argument", "token not found");
  const renewed = await parts.renewal.renew(hash, request.values.increment ?? 0);
  if (renewed === null) return null;
  renewed.warnings.forEach(request.warn);
  return { auth: authBlock(token, renewed.record, parts.identity) };
}

function revocationRoutes(parts: TokenRouteParts): Route[] {
  const { endings } = parts.tokens;
  return [
    route({
      path: "revoke",
      summary: "Ends a token and all that it made.",
      fields: { token: text("the token") },
      write: async ({ values }) => {
        if (!values.token) throw new VaultError("invalid_argument", "missing token ID");
        const record = parts.tokens.find(values.token);
        if (record !== undefined) await endings.end([record.hash]);
        else await endIfEvt(values.token, parts);
        return null;
      },
    }),
    route({
      path: "revoke-self",
      summary: "Ends the caller's token and all that it made.",
      write: async ({ caller }) => {
        await endSelf(caller, parts);
        return null;
      },
    }),
    route({
      path: "revoke-accessor",
      summary: "Ends the token with an accessor.",
      fields: { accessor: text("the accessor") },
      write: async ({ values }) => {
        if (!values.accessor) throw new VaultError("invalid_argument", "missing accessor");
        const record = parts.tokens.index.byAccessor(values.accessor);
        if (record !== undefined) await endings.end([record.hash]);
        return null;
      },
    }),
    route({
      path: "revoke-orphan",
      summary: "Ends a token alone; those that it made live on.",
      fields: { token: text("the token") },
      write: async ({ values, hasSudo }) => {
        if (!hasSudo) {
          throw new VaultError("invalid_argument", "root or sudo privileges required to revoke and orphan");
        }
        if (!values.token) throw new VaultError("invalid_argument", "missing token ID");
        const record = parts.tokens.find(values.token);
        if (record === undefined) throw new VaultError("invalid_argument", "token to revoke not found");
        await endings.endAlone(record.hash);
        return null;
      },
    }),
    route({
      path: "tidy",
      summary: "Ends what has expired; it is done all the time anyway.",
      write: async ({ warn }) => {
        await endings.sweep();
        warn("Tidy operation finished");
        return { data: null, status: 202 };
      },
    }),
  ];
}

/** A user's evt token is revoked like any other by whoever may call this; what it caused ends with it. */
async function endIfEvt(token: string, { tokens }: TokenRouteParts): Promise<void> {
  const evt = tokens.findEvt(token)?.evt;
  if (evt) await tokens.endEvt(evt);
}

async function endSelf(caller: ApiCaller, { tokens }: TokenRouteParts): Promise<void> {
  if (caller.token !== null) return await tokens.endings.end([caller.token.hash]);
  if (caller.evt !== null) await tokens.endEvt(caller.evt);
}

function liveByAccessor(accessor: string | undefined, { tokens }: TokenRouteParts): ServiceTokenRecord {
  if (!accessor) throw new VaultError("invalid_argument", "missing accessor");
  const record = tokens.index.byAccessor(accessor);
  if (record !== undefined && tokens.isLive(record)) return record;
  throw new HttpProblem(403, [wrapped("invalid accessor")]);
}
