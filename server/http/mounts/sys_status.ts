/**
 * `sys/health`, `sys/seal-status`, `sys/leader`, `sys/init` and the like: what readiness probes and client libraries ask
 * before anything else. This vault is initialised and unsealed from its first moment (S19).
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import { anything, bool, text } from "../fields.ts";
import { HttpProblem } from "../problem.ts";
import { type ApiAnswer, type Route, route } from "../route.ts";

/** What these routes tell. */
export interface StatusFacts {
  readonly version: string;
  readonly clusterId: string;
  readonly clusterName: string;
  nowMs(): number;
}

/** Vault's version that this API answers like, for clients that gate features by it; then our own. */
export function apiVersion(version: string): string {
  return `1.17.0+runevault.${version}`;
}

/** The routes. */
export function sysStatusRoutes(facts: StatusFacts): Route[] {
  return [
    route({
      path: "health",
      summary: "Whether the vault serves.",
      isOpen: true,
      fields: {
        standbyok: text("taken for compatibility"),
        activecode: text("the status to answer with"),
        standbycode: text("taken for compatibility"),
        sealedcode: text("taken for compatibility"),
        uninitcode: text("taken for compatibility"),
        perfstandbycode: text("taken for compatibility"),
      },
      read: ({ values }) => ({ raw: healthBody(facts), status: statusCode(values.activecode) }),
    }),
    route({
      path: "seal-status",
      summary: "The state of the seal: this vault has no unseal keys.",
      isOpen: true,
      read: () => sealStatus(facts),
    }),
    route({
      path: "leader",
      summary: "High availability: there is one node.",
      isOpen: true,
      read: () => ({ raw: { ha_enabled: false, is_self: false, leader_address: "", leader_cluster_address: "" } }),
    }),
    route({
      path: "init",
      summary: "Initialisation, which is over: the first root token comes from the machine itself.",
      isOpen: true,
      fields: { secret_shares: anything("ignored"), secret_threshold: anything("ignored") },
      read: () => ({ raw: { initialized: true } }),
      write: () => {
        throw new VaultError("invalid_argument", "Vault is already initialized", {
          hint: "make a root token with `runevault operator init` on the vault's machine",
        });
      },
    }),
    route({
      path: "unseal",
      summary: "Changes nothing: this vault is always unsealed.",
      isOpen: true,
      fields: { key: text("ignored"), reset: bool("refused: there is no progress to reset") },
      write: ({ values: { key, reset } }) => {
        if (reset) throw new VaultError("invalid_argument", "vault is unsealed");
        if (!key) {
          throw new VaultError(
            "invalid_argument",
            "'key' must be specified in request body as JSON, or 'reset' set to true",
          );
        }
        return sealStatus(facts);
      },
    }),
    route({
      path: "seal",
      summary: "Changes nothing: this vault is always unsealed.",
      needsSudo: true,
      write: () => null,
    }),
  ];
}

function healthBody(facts: StatusFacts) {
  return {
    initialized: true,
    sealed: false,
    standby: false,
    performance_standby: false,
    replication_performance_mode: "disabled",
    replication_dr_mode: "disabled",
    server_time_utc: Math.floor(facts.nowMs() / 1000),
    version: apiVersion(facts.version),
    enterprise: false,
    cluster_name: facts.clusterName,
    cluster_id: facts.clusterId,
    echo_duration_ms: 0,
    clock_skew_ms: 0,
  };
}

/** Probes may name the status that they take for success. */
function statusCode(given: string | undefined): number {
  if (given === undefined) return 200;
  const code = /^[0-9]{3}$/.test(given) ? Number(given) : 0;
  if (code >= 200 && code <= 599) return code;
  throw new HttpProblem(400, []);
}

function sealStatus(facts: StatusFacts): ApiAnswer {
  return {
    raw: {
      type: "shamir",
      initialized: true,
      sealed: false,
      t: 1,
      n: 1,
      progress: 0,
      nonce: "",
      version: apiVersion(facts.version),
      build_date: "",
      migration: false,
      cluster_name: facts.clusterName,
      cluster_id: facts.clusterId,
      recovery_seal: false,
      storage_type: "sqlite",
    },
  };
}
