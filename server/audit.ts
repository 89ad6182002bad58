/**
 * The audit trail of the running process, as its configuration wants it.
 *
 * @module
 */

import { FileRotation } from "../vault/audit/rotation.ts";
import { openTrail } from "../vault/audit/recovery.ts";
import type { AuditTrail } from "../vault/audit/trail.ts";
import { TrailReader } from "../vault/audit/trail_reader.ts";
import type { Logger, SealKey, Store } from "../vault/mod.ts";
import { openMirror } from "./audit_mirrors/mod.ts";
import { systemClock, systemRandom } from "./clock.ts";
import type { Config } from "./config.ts";

/** What the trail lives with. */
export interface AuditSurroundings {
  readonly store: Store;
  readonly sealKey: SealKey;
  readonly logger: Logger;
  /** Whether a new series of keys may begin where the next key is lost, as it is after a restore. */
  readonly mayBeginAnew: boolean;
}

/** A trail and its reader; nothing where it is switched off. */
export interface OpenAudit {
  readonly trail?: AuditTrail;
  readonly auditReader?: TrailReader;
}

/**
 * Opens the trail, unless the operator switched it off.
 *
 * @throws {VaultError} `config_invalid`.
 */
export async function openAudit(config: Config, around: AuditSurroundings): Promise<OpenAudit> {
  const { dataDir, auditFile } = config;
  if (auditFile === null) {
    around.logger.log("warn", "audit_off", { hint: "nobody will know who did what: give --audit-file a path" });
    return {};
  }
  const { auditMirror, auditRotation } = config;
  const { logger } = around;
  const mirror = auditMirror === undefined ? undefined : await openMirror(auditMirror, dataDir, logger);
  const trail = await openTrail({
    ...around,
    mirror,
    rotation: new FileRotation(auditFile, auditRotation, systemClock, logger),
    clock: systemClock,
    random: systemRandom,
    path: auditFile,
    keyPath: `${dataDir}/audit.key`,
    firstKeyPath: `${dataDir}/audit.k0`,
  });
  return { trail, auditReader: new TrailReader(trail, auditFile, `${dataDir}/audit.db`) };
}
