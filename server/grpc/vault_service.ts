/**
 * `rune.vault.v1.VaultService` and `runevault.v1.Metadata`: each method as authenticate, scope, arguments, work.
 *
 * The order is the contract's: token, window, scope, arguments. {@link METHOD_SCOPES} names every method, and a handler
 * can only be reached through it.
 *
 * @module
 */

import { create } from "@bufbuild/protobuf";
import {
  DecryptScoresResponseSchema,
  GetAgentManifestResponseSchema,
  GetPublicKeyResponseSchema,
  VaultService,
} from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { Metadata } from "../../proto/gen/runevault/v1/metadata_pb.ts";
import { type BundleParts, type Caller, openRightOf, type Scope, type Vault, VaultError } from "../../vault/mod.ts";
import { OpenedAgents } from "../../vault/audit/opened_agents.ts";
import type { AuditedRequest } from "../../vault/audit/request.ts";
import { type GrpcService, grpcService } from "./definition.ts";
import { encodedText } from "./encoded_message.ts";
import type { MetadataBatches } from "./metadata_batches.ts";
import type { CallContext, Unary } from "./unary.ts";

/** Which scopes let a caller in; any of them is enough. */
const METHOD_SCOPES = {
  GetPublicKey: ["get_bundle"],
  GetAgentManifest: ["get_bundle"],
  DecryptScores: ["decrypt_scores"],
  DecryptMetadata: ["decrypt_metadata", "decrypt_own_metadata"],
  SealMetadata: ["decrypt_metadata", "decrypt_own_metadata"],
} as const satisfies Record<string, readonly Scope[]>;

/** What the services are made of. */
export interface VaultServiceParts {
  readonly vault: Vault;
  readonly unary: Unary;
  readonly batches: MetadataBatches;
}

/** Rune-Vault's service, unchanged on the wire. */
export function createVaultService({ vault, unary, batches }: VaultServiceParts): GrpcService {
  const { method } = VaultService;
  return grpcService(VaultService, {
    getPublicKey: unary(method.getPublicKey, async (_request, context) => {
      const caller = admit(vault, context, "GetPublicKey");
      const parts = await vault.bundles.bundle(caller);
      vault.authenticator.assertStillLive(caller);
      return encodedText(GetPublicKeyResponseSchema, GetPublicKeyResponseSchema.field.keyBundleJson, parts);
    }),
    getAgentManifest: unary(method.getAgentManifest, (_request, context) => {
      const caller = admit(vault, context, "GetAgentManifest");
      const parts = vault.bundles.manifest(caller);
      if (!(parts instanceof Promise)) return manifestOf(parts);
      return parts.then((made) => {
        vault.authenticator.assertStillLive(caller);
        return manifestOf(made);
      });
    }),
    decryptScores: unary(method.decryptScores, async (request, context) => {
      const caller = admit(vault, context, "DecryptScores");
      context.audited.resource = { top_k: request.topK };
      assertTopK(request.topK, caller);
      const results = await vault.keyRing.decryptScores(request.encryptedBlobB64, request.topK, context.signal);
      context.audited.resource = { top_k: request.topK, rows: results.length };
      await vault.users.addScoreRows(caller.user, results.length);
      vault.authenticator.assertStillLive(caller);
      const entries = results.map(({ shardIndex, rowIndex, score }) => ({
        shardIdx: shardIndex,
        rowIdx: rowIndex,
        score,
      }));
      return create(DecryptScoresResponseSchema, { results: entries });
    }),
    decryptMetadata: unary(method.decryptMetadata, async (request, context) => {
      const caller = admit(vault, context, "DecryptMetadata");
      const agents = new OpenedAgents();
      context.audited.resource = { opened: agents, cut_off_authors: agents.cutOffAuthors };
      const opened = await batches.open(request, { ...openRightOf(caller), opened: agents }, context.signal);
      vault.authenticator.assertStillLive(caller);
      return opened;
    }),
  });
}

/** Sealing for clients that have no crypto, or no key, of their own. */
export function createMetadataService({ vault, unary, batches }: VaultServiceParts): GrpcService {
  return grpcService(Metadata, {
    sealMetadata: unary(Metadata.method.sealMetadata, async (request, context) => {
      const caller = admit(vault, context, "SealMetadata");
      const sealed = await batches.seal(request, caller.agentId, context.signal);
      vault.authenticator.assertStillLive(caller);
      return sealed;
    }),
  });
}

function admit(vault: Vault, context: CallContext, method: keyof typeof METHOD_SCOPES): Caller {
  const caller = vault.authenticator.identify(context.token);
  describeCaller(context.audited, caller);
  vault.authenticator.takePlace(caller);
  vault.authenticator.assertScope(caller, METHOD_SCOPES[method]);
  return caller;
}

/** Who calls: an evt token has no accessor but its agent id. */
function describeCaller(audited: AuditedRequest, { user, token, agentId }: Caller): void {
  audited.user = user.record.name;
  audited.entityId = user.record.entityId;
  audited.accessor = audited.agentId = agentId;
  audited.sessionId = token.record.sessionId;
}

function manifestOf(parts: BundleParts) {
  const { manifestJson } = GetAgentManifestResponseSchema.field;
  return encodedText(GetAgentManifestResponseSchema, manifestJson, parts);
}

function assertTopK(topK: number, { role }: Caller): void {
  if (topK < 1) throw new VaultError("invalid_argument", "top_k must be at least 1");
  if (topK > role.topK) {
    throw new VaultError("top_k_exceeded", `top_k ${topK} is above ${role.topK}, the limit of role "${role.name}"`);
  }
}
