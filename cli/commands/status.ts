/**
 * `runevault status` and `runevault version`
 *
 * @module
 */

import type { StatusReport } from "../../admin/wire.ts";
import { VERSION } from "../../version.ts";
import { facts } from "../format.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { answer, type Question } from "../session.ts";

/** Adds the commands about the program itself. */
export function addStatusCommands(root: Root, { io }: CliContext): void {
  root.command("status").description("Say how the running server is.")
    .addHelpText("after", examples("runevault status", "runevault status --json"))
    .action(async (_options, command) => {
      const question: Question = { method: "GET", path: "/status" };
      await answer<StatusReport>(io, command.optsWithGlobals(), question, showStatus);
    });

  root.command("version").description("Print the version of this program; no server is asked.")
    .addHelpText("after", examples("runevault version"))
    .action(async (_options, command) => {
      const runtime = `deno ${Deno.version.deno}`;
      const { json } = command.optsWithGlobals();
      await io.out(json ? `${JSON.stringify({ version: VERSION, runtime })}\n` : `runevault ${VERSION} (${runtime})\n`);
    });
}

function showStatus(status: StatusReport): string {
  const { addresses, tls } = status;
  return facts([
    ["Health", [status.health, ...status.reasons].join("; ")],
    ["Version", `${status.version} (${status.runtime})`],
    ["Process", `${status.pid}, up ${showSeconds(status.uptime_seconds)}`],
    ["Users", `${status.users}, with a token ${status.tokens}`],
    ["Roles", String(status.roles)],
    ["Secret version", String(status.secret_version)],
    ["Version-1 envelopes", status.envelope_v1],
    ["FHE key", status.fhe_key_id ?? "none"],
    ["gRPC", addresses.grpc ?? "off"],
    ["Identity API", addresses.api ?? "off"],
    ["Admin", addresses.admin ?? "off"],
    ["Admin socket", addresses.admin_socket ?? "off"],
    ["Metrics", addresses.metrics ?? "off"],
    ["TLS", tls?.mode ?? "off"],
    ["CA", tls?.ca_path ?? null],
    ["CA SHA-256", tls?.ca_sha256 ?? null],
    ...status.files.map((file) => [`File ${file.name}`, `${file.state}, generation ${file.generation}`] as const),
  ]);
}

/** `1d 2h`, `3h 4m`, `5m 6s`: the two largest units say enough. */
function showSeconds(total: number): string {
  const whole = Math.floor(total);
  const units = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "m"],
    [whole % 60, "s"],
  ] as const;
  const first = units.findIndex(([count]) => count > 0);
  const shown = units.slice(first === -1 ? 3 : first).slice(0, 2);
  return shown.map(([count, unit]) => `${count}${unit}`).join(" ");
}
