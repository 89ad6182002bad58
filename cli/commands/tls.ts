/**
 * `runevault tls …`
 *
 * @module
 */

import type { RenewedTlsBody } from "../../admin/wire.ts";
import type { TlsReport } from "../../server/maintenance/mod.ts";
import { VaultError } from "../../vault/errors.ts";
import { facts, messageLine } from "../format.ts";
import type { Io } from "../io.ts";
import { type CliContext, examples, type GlobalOptions, type Root } from "../program.ts";
import { answer, dataDirOf, isServing } from "../session.ts";

const CONSTRAINT = `
The CA is limited to the host names that it was made with, and to those under them: whoever steals its key can sign for no
other host. So a new host name needs a new CA, and every agent must then trust the new ca.pem.
`;

/** Adds the commands for certificates. */
export function addTlsCommands(root: Root, { io }: CliContext): void {
  const tls = root.command("tls").helpCommand(false).description("See and renew the server's certificates.");

  tls.command("show").description("Show the certificates, their names and their ends.")
    .addHelpText("after", examples("runevault tls show", "runevault tls show --json"))
    .action(async (_options, command) => await show(io, command.optsWithGlobals()));

  tls.command("ca").description("Print the CA's certificate, for agents to trust; or make a new CA.")
    .option("--new", "make a new CA and a server certificate; the server must be stopped, the old ones are kept aside")
    .option("--tls-hostname <NAME>", "with --new: a further host name; may be repeated", append)
    .addHelpText(
      "after",
      CONSTRAINT + examples("runevault tls ca > ca.pem", "runevault tls ca --new --tls-hostname vault.example.com"),
    )
    .action(async (options, command) => {
      const globals = command.optsWithGlobals();
      if (options.new === true) return await makeNew(io, globals, options.tlsHostname);
      if (options.tlsHostname !== undefined) throw new VaultError("usage", "--tls-hostname goes with --new");
      const { caPem } = await import("../../server/maintenance/mod.ts");
      await io.out(await caPem(flagsOf(io, globals, undefined)));
    });

  tls.command("issue").description(
    "Make a server certificate by the same CA for these names; the server must be stopped.",
  )
    .option("--tls-hostname <NAME>", "a further name or address; may be repeated", append)
    .addHelpText("after", CONSTRAINT + examples("runevault tls issue --tls-hostname 192.0.2.7"))
    .action(async ({ tlsHostname }, command) => {
      const globals = command.optsWithGlobals();
      const { issueServerCertificate } = await import("../../server/maintenance/mod.ts");
      await issueServerCertificate(flagsOf(io, globals, tlsHostname));
      await show(io, globals);
      if (tlsHostname !== undefined) await io.err("Give `serve` the same --tls-hostname, or it makes another one.\n");
    });

  tls.command("renew").description("Make a new server certificate now, by the same CA; the server may be running.")
    .addHelpText("after", examples("runevault tls renew"))
    .action(async (_options, command) => {
      const globals = command.optsWithGlobals();
      if (await isServing(io, globals)) {
        const question = { method: "POST", path: "/tls/renew", body: {} } as const;
        return await answer<RenewedTlsBody>(io, globals, question, messageLine);
      }
      const { issueServerCertificate } = await import("../../server/maintenance/mod.ts");
      await issueServerCertificate(flagsOf(io, globals, undefined));
      await show(io, globals);
    });
}

function append(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

function flagsOf(io: Io, globals: GlobalOptions, tlsHostnames: readonly string[] | undefined) {
  return {
    data_dir: dataDirOf(io, globals),
    ...(tlsHostnames === undefined ? {} : { tls_hostname: tlsHostnames }),
  };
}

async function makeNew(io: Io, globals: GlobalOptions, hostnames: readonly string[] | undefined): Promise<void> {
  const { makeAuthority } = await import("../../server/maintenance/mod.ts");
  const aside = await makeAuthority(flagsOf(io, globals, hostnames));
  await show(io, globals);
  if (aside !== null) await io.err(`The old ones are in ${aside}.\n`);
  await io.err("Give every agent the new ca.pem: until then it refuses this server.\n");
}

async function show(io: Io, globals: GlobalOptions): Promise<void> {
  const { tlsReport } = await import("../../server/maintenance/mod.ts");
  const report = await tlsReport(flagsOf(io, globals, undefined));
  await io.out(globals.json ? `${JSON.stringify(toJson(report))}\n` : showReport(report));
  for (const warning of report.warnings) await io.err(`runevault: warning: ${warning}\n`);
}

function showReport({ mode, server, ca, permitted }: TlsReport): string {
  return facts([
    ["Mode", mode],
    ["Server certificate", server === null ? "none" : server.subject],
    ["Its names", server?.names.join(", ") ?? null],
    ["Its end", server === null ? null : isoTime(server.notAfter)],
    ["Its SHA-256", server?.sha256 ?? null],
    ["CA", ca?.subject ?? null],
    ["May sign", permitted === null ? null : `${permitted.join(", ")}, and names under them`],
    ["CA's end", ca === null ? null : isoTime(ca.notAfter)],
    ["CA's SHA-256", ca?.sha256 ?? null],
  ]);
}

function toJson({ mode, server, ca, permitted, warnings }: TlsReport) {
  const certificate = (one: TlsReport["server"]) =>
    one === null ? null : {
      subject: one.subject,
      names: one.names,
      not_before: isoTime(one.notBefore),
      not_after: isoTime(one.notAfter),
      sha256: one.sha256,
    };
  return { mode, server: certificate(server), ca: certificate(ca), permitted_names: permitted, warnings };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
