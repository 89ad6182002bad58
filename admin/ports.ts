/**
 * What the admin API asks of the vault and of the process it runs in. `Vault` of the domain fits as it is.
 *
 * @module
 */

import type { AuditFace } from "../vault/audit/entry.ts";
import type { Audit } from "../vault/audit/trail.ts";
import type { Clock, FileFace, Logger, RandomSource, Vault } from "../vault/mod.ts";
import type { BackupBody, StatusReport } from "./wire.ts";

/** The parts of the domain that the routes call. */
export interface AdminVault {
  readonly tokens: Pick<Vault["tokens"], "issue" | "rotate" | "revoke" | "show" | "list">;
  readonly roles: Pick<Vault["roles"], "list" | "show" | "create" | "update" | "delete">;
  readonly users: Pick<Vault["users"], "list" | "show" | "disable" | "enable">;
  readonly operators: Pick<Vault["operators"], "identify" | "digestById" | "list" | "add" | "rotate" | "remove">;
  readonly secrets: Pick<Vault["secrets"], "list" | "rotate" | "retire">;
  readonly envelopes: Pick<Vault["envelopes"], "rewrap">;
  readonly keyRing: Pick<Vault["keyRing"], "list" | "show" | "generate" | "rotate" | "import" | "export">;
  readonly files: Pick<FileFace, "status" | "diff" | "take" | "discard">;
  readonly auditReader: Vault["auditReader"];
  readonly state: { readonly tokens: Pick<Vault["state"]["tokens"], "get"> };
  readonly clockGuard: Pick<Vault["clockGuard"], "status" | "accept">;
  readonly engine: {
    readonly accounts: Pick<Vault["engine"]["accounts"], "create" | "setPassword" | "link" | "unlock" | "loginsOf">;
    readonly policies: Pick<Vault["engine"]["policies"], "exists">;
    readonly cutOff: Pick<Vault["engine"]["cutOff"], "cutOff" | "restore" | "show">;
    readonly database: { readonly roles: Pick<Vault["engine"]["database"]["roles"], "assertNoneNamed"> };
    readonly rootTokens: Pick<Vault["engine"]["rootTokens"], "make" | "list" | "revoke">;
  };
}

/** Facts about the running process, which `server/daemon.ts` knows. */
export interface ProcessFacts {
  version(): string;
  status(): StatusReport;
}

/** Backups of the running vault. */
export interface BackupSource {
  /**
   * Takes a snapshot, to be fetched within a minute.
   *
   * @param choice.formerAudit Whether the audit files that rotation has moved away belong to it.
   */
  take(choice: { readonly formerAudit: boolean }): Promise<BackupBody>;
  /** Its archive, once. */
  fetch(id: string): ReadableStream<Uint8Array>;
}

/** The certificates of the running server. */
export interface TlsControl {
  /** Replaces the server certificate now; null where the vault doesn't make it. */
  readonly renew: (() => Promise<void>) | null;
}

/** Everything that the admin API is made of. */
export interface AdminParts {
  readonly vault: AdminVault;
  readonly facts: ProcessFacts;
  readonly backups: BackupSource;
  readonly tls: TlsControl;
  /** The admin token, from `ensureAdminToken`; only its digest is kept. */
  readonly adminToken: string;
  /** The user id that the server runs as; null where users have none. */
  readonly uid: number | null;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly audit: Audit;
  /** What stands in the trail for a value that must not be read. */
  readonly hashValue: (value: string) => string;
  /** How long a request body may take to arrive; 30 s where absent. */
  readonly bodyTimeoutMs?: number;
  /** Answers `/v1/…` with the rights of the operator, whom the admin API has let in. */
  readonly identityApi?: (request: Request, face: AuditFace) => Response | Promise<Response>;
}
