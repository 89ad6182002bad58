/**
 * `runevault.v1.Identity`: an agent's own identity, over the connection that it has.
 *
 * The same policies decide as on the identity API, by the paths of the same operations.
 *
 * @module
 */

import { create } from "@bufbuild/protobuf";
import {
  Identity,
  IssueIdentityTokenResponseSchema,
  LookupSelfResponseSchema,
  MyActivityResponseSchema,
  RevokeSelfResponseSchema,
} from "../../proto/gen/runevault/v1/identity_pb.ts";
import type { StoredEntry } from "../../vault/audit/entry.ts";
import { looksLikeToken } from "../../vault/audit/token_like.ts";
import { ownEntries } from "../../vault/audit/own_entries.ts";
import type { Access } from "../../vault/policies/acl.ts";
import { VaultError } from "../../vault/mod.ts";
import type { ApiCaller } from "../../vault/service_tokens/caller.ts";
import { type GrpcService, grpcService } from "./definition.ts";
import type { CallContext } from "./unary.ts";
import type { VaultServiceParts } from "./vault_service.ts";

/** Identity for agents. */
export function createIdentityService({ vault, unary }: VaultServiceParts): GrpcService {
  const { identityTokens, tokens } = vault.engine;
  const { method } = Identity;
  return grpcService(Identity, {
    issueIdentityToken: unary(method.issueIdentityToken, async ({ role, claims }, context) => {
      if (role === "") throw new VaultError("invalid_argument", "role must be given");
      const caller = admit(vault, context, `identity/oidc/token/${role}`, "read");
      const { token, clientId, ttl } = await identityTokens.issue(caller, role, claims);
      return create(IssueIdentityTokenResponseSchema, { token, clientId, ttlSeconds: ttl });
    }),
    lookupSelf: unary(method.lookupSelf, (_request, context) => {
      const caller = admit(vault, context, "auth/token/lookup-self", "read");
      const { record, user } = caller.evt!;
      return create(LookupSelfResponseSchema, {
        user: user.record.name,
        entityId: user.record.entityId,
        agentId: caller.accessor,
        role: record.role,
        policies: [...caller.policies],
        expiresAt: BigInt(Math.floor((record.expiresAt ?? 0) / 1000)),
      });
    }),
    myActivity: unary(method.myActivity, async ({ limit, since, operation }, context) => {
      const caller = admit(vault, context, "identity/audit/self", "read");
      const found = await ownEntries(vault.auditReader, caller.entity!.record.entityId, {
        limit: limit === 0 ? undefined : limit,
        since: since === 0n ? undefined : Number(since) * 1000,
        operation: operation || undefined,
      });
      tokens.assertStillLive(caller);
      return create(MyActivityResponseSchema, { entries: found.map(activityOf) });
    }),
    revokeSelf: unary(method.revokeSelf, async (_request, context) => {
      const caller = admit(vault, context, "auth/token/revoke-self", "update");
      await tokens.endEvt(caller.evt!);
      return create(RevokeSelfResponseSchema, {});
    }),
  });
}

/** What stands in the trail where the role's name looks like a token. */
const TEMPLATE = "identity/oidc/token/:name";
/** Longer than any path that means something; the trail's lines have a limit. */
const MAX_PATH_LENGTH = 2048;

function activityOf(entry: Omit<StoredEntry, "prev" | "mac">) {
  return {
    sequence: BigInt(entry.seq),
    time: entry.time,
    requestId: entry.request_id,
    face: entry.face,
    operation: entry.operation,
    decision: entry.decision,
    error: entry.error ?? "",
    remoteAddress: entry.remote_address ?? "",
    sessionId: entry.session_id ?? "",
    agentId: entry.agent_id ?? "",
    resourceJson: entry.resource === undefined ? "" : JSON.stringify(entry.resource),
  };
}

function admit(
  vault: VaultServiceParts["vault"],
  context: CallContext,
  path: string,
  operation: Access["operation"],
): ApiCaller {
  const { tokens, acl } = vault.engine;
  const caller = tokens.evtCaller(context.token);
  const { audited } = context;
  audited.user = caller.entity!.record.name;
  audited.entityId = caller.entity!.record.entityId;
  audited.accessor = audited.agentId = caller.accessor;
  audited.sessionId = caller.evt!.record.sessionId;
  audited.resource = { path: looksLikeToken(path) ? TEMPLATE : path.slice(0, MAX_PATH_LENGTH) };
  tokens.takePlace(caller);
  const access = { path, operation, parameters: new Map(), wrapTtlSeconds: null, needsSudo: false };
  if (acl.check(caller, access).allowed) return caller;
  throw new VaultError("permission_denied", "The policies of the token's role do not allow this", {
    hint: `give the role a policy with ${operation} on ${path}`,
  });
}
