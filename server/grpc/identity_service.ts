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
  RevokeSelfResponseSchema,
} from "../../proto/gen/runevault/v1/identity_pb.ts";
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
    revokeSelf: unary(method.revokeSelf, async (_request, context) => {
      const caller = admit(vault, context, "auth/token/revoke-self", "update");
      await tokens.endEvt(caller.evt!);
      return create(RevokeSelfResponseSchema, {});
    }),
  });
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
  audited.resource = { path };
  tokens.takePlace(caller);
  const access = { path, operation, parameters: new Map(), wrapTtlSeconds: null, needsSudo: false };
  if (acl.check(caller, access).allowed) return caller;
  throw new VaultError("permission_denied", "The policies of the token's role do not allow this", {
    hint: `give the role a policy with ${operation} on ${path}`,
  });
}
