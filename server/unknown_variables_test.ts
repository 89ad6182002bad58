import { deepEqual } from "node:assert/strict";
import { SERVE_OPTIONS } from "./config_options.ts";
import { unknownVariables } from "./unknown_variables.ts";

Deno.test("a variable that looks like a setting and is none is told", () => {
  deepEqual(unknownVariables(["RUNEVAULT_TLS_CLIENTCA", "RUNEVAULT_GRPC_ADR", "PATH"]), [
    "RUNEVAULT_GRPC_ADR",
    "RUNEVAULT_TLS_CLIENTCA",
  ]);
});

Deno.test("so is one for what is said on the command line alone", () => {
  deepEqual(unknownVariables(["RUNEVAULT_ACCEPT_ROLLBACK"]), ["RUNEVAULT_ACCEPT_ROLLBACK"]);
});

Deno.test("settings, what other commands read, and what Kubernetes sets are not", () => {
  const settings = SERVE_OPTIONS.filter(({ once }) => !once).map(({ env }) => env);
  const commands = ["RUNEVAULT_TOKEN", "RUNEVAULT_BACKUP_PASSPHRASE", "RUNEVAULT_OPERATOR_TOKEN_FILE"];
  const kubernetes = ["RUNEVAULT_SERVICE_HOST", "RUNEVAULT_PORT", "RUNEVAULT_PORT_50051_TCP_ADDR"];
  deepEqual(unknownVariables([...settings, ...commands, ...kubernetes, "runevault_x", "VAULT_ADDR"]), []);
});
