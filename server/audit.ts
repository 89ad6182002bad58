/**
 * The audit trail of the running process, as its configuration wants it.
 *
 * @module
 */

import { FileRotation } from "../vault/audit/rotation.ts";
import { openTrail } from "../vault/audit/recovery.ts";
import type { AuditTrail } from "../vault/audit/trail.ts";
import { TrailReader } from "../vault/audit/trail_reader.ts";
import { asVaultError, type Logger, type SealKey, type Store, VaultError } from "../vault/mod.ts";
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
  const { dataDir, auditFile, auditKeyRecipient } = config;
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
    encryptFirstKey: auditKeyRecipient === undefined ? undefined : await encrypterTo(auditKeyRecipient),
  });
  return { trail, auditReader: new TrailReader(trail, auditFile, `${dataDir}/audit.db`) };
}

/** The library for it is loaded where it is wanted alone. A recipient that is none is refused at every start. */
async function encrypterTo(recipient: string): Promise<(key: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>> {
  const { assertRecipient, encryptBackup } = await import("./backup/age.ts");
  try {
    assertRecipient(recipient);
  } catch (error) {
    const { message, hint } = asVaultError(error);
    throw new VaultError("config_invalid", `--audit-key-recipient: ${message}`, hint === undefined ? {} : { hint });
  }
  return async (key) => {
    const encrypted = await encryptBackup(new Blob([key]).stream(), { recipients: [recipient] });
    return await new Response(encrypted as ReadableStream<Uint8Array<ArrayBuffer>>).bytes();
  };
}
