/**
 * Every parser that is fuzzed, by name. Each is loaded when it is asked for.
 *
 * @module
 */

import type { FuzzTarget } from "../target.ts";

/** Loads a target. */
export type LoadTarget = () => Promise<FuzzTarget>;

/** The targets, the quick ones first. */
export const TARGETS: Readonly<Record<string, LoadTarget>> = {
  rates: async () => (await import("./rates.ts")).target,
  durations: async () => (await import("./durations.ts")).target,
  days: async () => (await import("./days.ts")).target,
  audit_lines: async () => (await import("./audit_lines.ts")).target,
  audit_files: async () => (await import("./audit_files.ts")).target,
  addresses: async () => (await import("./addresses.ts")).target,
  request_heads: async () => (await import("./request_heads.ts")).target,
  trace_parents: async () => (await import("./trace_parents.ts")).target,
  env_files: async () => (await import("./env_files.ts")).target,
  jwts: async () => (await import("./jwts.ts")).target,
  envelopes: async () => (await import("./envelopes.ts")).target,
  protobuf: async () => (await import("./protobuf.ts")).target,
  score_blobs: async () => (await import("./score_blobs.ts")).target,
  key_files: async () => (await import("./key_files.ts")).target,
  envelope_lines: async () => (await import("./envelope_lines.ts")).target,
  pem: async () => (await import("./pem.ts")).target,
  der: async () => (await import("./der.ts")).target,
  roles_file: async () => (await import("./yaml_files.ts")).rolesTarget,
  tokens_file: async () => (await import("./yaml_files.ts")).tokensTarget,
  config_file: async () => (await import("./config_file.ts")).target,
  admin_api: async () => (await import("./admin_api.ts")).target,
  api_requests: async () => (await import("./api_requests.ts")).target,
  api_bodies: async () => (await import("./api_bodies.ts")).target,
  policies: async () => (await import("./policies.ts")).target,
  claim_templates: async () => (await import("./claim_templates.ts")).target,
  connection_urls: async () => (await import("./connection_urls.ts")).target,
  username_templates: async () => (await import("./username_templates.ts")).target,
  password_policies: async () => (await import("./password_policies.ts")).target,
  statements: async () => (await import("./statements.ts")).target,
  backup_archives: async () => (await import("./backups.ts")).archiveTarget,
  backup_files: async () => (await import("./backups.ts")).fileTarget,
  command_line: async () => (await import("./command_line.ts")).target,
};
