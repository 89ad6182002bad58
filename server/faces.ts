/**
 * Puts together what the ports answer with: one vault, seen by gRPC, the identity API, the admin API and monitoring.
 *
 * @module
 */

import { Health } from "../proto/gen/grpc/health/v1/health_pb.ts";
import { Identity } from "../proto/gen/runevault/v1/identity_pb.ts";
import { Metadata } from "../proto/gen/runevault/v1/metadata_pb.ts";
import { VaultService } from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { ensureAdminToken } from "../admin/mod.ts";
import type { AuditFace } from "../vault/audit/entry.ts";
import type { Audit } from "../vault/audit/trail.ts";
import { type Logger, type Vault, VaultError } from "../vault/mod.ts";
import type { Caller } from "../vault/tokens/authenticator.ts";
import { VERSION } from "../version.ts";
import { Backups } from "./backup/backups.ts";
import { systemClock, systemRandom } from "./clock.ts";
import type { HealthReporter } from "./grpc/health.ts";
import { createIdentityService } from "./grpc/identity_service.ts";
import { createReflection } from "./grpc/reflection.ts";
import { ThreadedBatches } from "./grpc/threads/threaded_batches.ts";
import { createUnary } from "./grpc/unary.ts";
import { type TokenHolder, unhandledRecorder } from "./grpc/unhandled_record.ts";
import { createMetadataService, createVaultService } from "./grpc/vault_service.ts";
import { createVaultApi, OPERATOR } from "./http/identity_api.ts";
import type { PreparedTls } from "./listener_tls.ts";
import type { Faces } from "./listeners.ts";
import { Metrics } from "./metrics.ts";
import type { ProcessFacts } from "./process_facts.ts";
import type { Sources } from "./sources.ts";
import { tracingSettings } from "./tracing/settings.ts";
import { tracedAudit } from "./tracing/traced_audit.ts";
import type { Undo } from "./undo.ts";
import type { OpenedVault } from "./vault_opening.ts";

/** What a vault's faces need besides it. */
export interface FaceSurroundings {
  readonly sources: Sources;
  readonly facts: ProcessFacts;
  readonly health: HealthReporter;
  readonly tls: PreparedTls;
  readonly logger: Logger;
  /** What the start did, to be undone at a stop. */
  readonly undo: Undo[];
  /** Told when a thread that serves gRPC died. */
  readonly onThreadDeath: (reason: string) => void;
}

/** What every port of a server answers with. */
export async function facesOf({ vault, store }: OpenedVault, around: FaceSurroundings): Promise<Faces> {
  const { sources, facts, health, tls, logger, undo, onThreadDeath } = around;
  const { config } = sources;
  const metrics = new Metrics(facts, vault, config.metricsUsers);
  store.observe = metrics.vault.observeCommit;
  const ports = { clock: systemClock, random: systemRandom, logger };
  const audit = await tracedAuditOf(vault, logger, undo);
  const audited = {
    audit,
    auditReader: vault.auditReader,
    hashValue: (value: string) => vault.auditValues.hash(value),
  };
  const unary = createUnary({ ...ports, audit, observe: (call) => metrics.observe(call) });
  const batches = new ThreadedBatches(vault.envelopes);
  const parts = { vault, unary, batches };
  const { engine } = vault;
  const api = createVaultApi({
    ...ports,
    ...audited,
    engine,
    version: VERSION,
    observe: (request) => metrics.observeApi(request),
  });
  const identityApi = (request: Request, face: AuditFace) =>
    api(request, { address: "127.0.0.1", isTls: false, operator: OPERATOR, face });
  const adminToken = await ensureAdminToken(config.dataDir, systemRandom);
  return {
    grpc: {
      services: [
        createVaultService(parts),
        createMetadataService(parts),
        createIdentityService(parts),
        health.service,
        ...createReflection([VaultService, Metadata, Identity, Health]),
      ],
      batches,
      envelopes: vault.envelopes,
      isLive: (token) => callerOf(vault, token) !== undefined,
      onUnhandled: unhandledRecorder({ ...ports, audit, holderOf: (token) => holderOf(vault, token) }),
      health,
      onThreadDeath,
    },
    tls,
    api,
    admin: {
      ...ports,
      ...audited,
      vault,
      facts,
      adminToken,
      uid: Deno.uid(),
      identityApi,
      backups: backupsOf(sources, logger, undo),
      tls: { renew: (tls.grpc ?? tls.api)?.renew ?? null },
    },
    monitoring: {
      metrics: () => metrics.render(),
      health: () => facts.healthReport(),
      isReady: () => facts.ready,
      status: () => facts.publicStatus(),
    },
  };
}

/** With OpenTelemetry's variables each request ends as a span too; without them nothing of it is loaded. */
async function tracedAuditOf({ audit }: Vault, logger: Logger, undo: Undo[]): Promise<Audit> {
  const settings = tracingSettings((name) => Deno.env.get(name));
  if (settings === undefined) return audit;
  const { openSpanSender } = await import("./tracing/otlp.ts");
  const sender = openSpanSender(settings, VERSION, logger);
  undo.push(() => sender.close());
  return tracedAudit(audit, sender.record, () => systemClock.monotonic());
}

function backupsOf({ config, configPath }: Sources, logger: Logger, undo: Undo[]): Backups {
  const { dataDir, sealKeyFile, rolesFile, tokensFile, auditFile } = config;
  const files = { dataDir, sealKeyFile, rolesFile, tokensFile, configPath, auditFile };
  const backups = new Backups({ ...files, clock: systemClock }, logger);
  undo.push(() => backups.close());
  return backups;
}

/** Who would be let in with a token now; undefined: nobody. It counts nothing. */
function callerOf({ authenticator }: Vault, token: string): Caller | undefined {
  try {
    return authenticator.identify(token);
  } catch (error) {
    if (error instanceof VaultError) return undefined;
    throw error;
  }
}

function holderOf(vault: Vault, token: string): TokenHolder | undefined {
  const caller = callerOf(vault, token);
  if (caller === undefined) return undefined;
  const { name: user, entityId } = caller.user.record;
  return { user, entityId, agentId: caller.agentId };
}
