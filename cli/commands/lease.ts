/**
 * `runevault lease …`: the database accounts that are in use, and their end.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import { answerApi, apiCommand, type ApiOptions, assertThere, done, showData } from "../api_session.ts";
import { table } from "../format.ts";
import type { Io } from "../io.ts";
import { type CliContext, examples, type Root } from "../program.ts";

interface HeldLease {
  readonly lease_id: string;
  readonly state: string;
  readonly username: string;
  readonly connection: string;
  readonly expire_time: string;
  readonly revoke_error?: string;
}

/** Adds the commands for leases. */
export function addLeaseCommands(root: Root, { io }: CliContext): void {
  const lease = apiCommand(root, "lease", "See and end the database accounts that are in use.");

  lease.command("list").description("List the accounts that are in use, or wait for their end.")
    .option("--user <user>", "those of this user")
    .addHelpText("after", examples("runevault lease list", "runevault lease list --user alice"))
    .action(async ({ user }, command) => {
      const path = user === undefined ? "sys/leases/held" : `sys/leases/held?${new URLSearchParams({ user })}`;
      await answerApi<HeldBody>(io, command.optsWithGlobals(), { method: "GET", path }, showHeld);
    });

  lease.command("show").description("Show one lease.")
    .argument("<LEASE>", "its id")
    .addHelpText("after", examples("runevault lease show database/creds/app-users/…"))
    .action(async (id, _options, command) => {
      const question = { method: "POST" as const, path: "sys/leases/lookup", body: { lease_id: id } };
      await answerApi(io, command.optsWithGlobals(), question, showData);
    });

  lease.command("renew").description("Let an account live longer, up to its maximum.")
    .argument("<LEASE>", "its id")
    .option("--increment <DURATION>", "from now on; the role's default where absent")
    .addHelpText("after", examples("runevault lease renew database/creds/app-users/… --increment 30m"))
    .action(async (id, { increment }, command) => {
      const question = { method: "POST" as const, path: "sys/leases/renew", body: { lease_id: id, increment } };
      const show = ({ lease_duration: left }: { lease_duration: number }) => `It ends in ${left} s\n`;
      await answerApi(io, command.optsWithGlobals(), question, show);
    });

  lease.command("revoke").description("End accounts now: sessions end, the account is dropped.")
    .argument("<LEASE>", "its id, or a path with --prefix")
    .option("--prefix", "all leases at this path and below it")
    .option("--force", "with --prefix: forget the leases, whatever becomes of the accounts")
    .option("--queue", "don't fail where the database is away: it is tried until it works")
    .addHelpText(
      "after",
      examples("runevault lease revoke database/creds/app-users/…", "runevault lease revoke database/creds --prefix"),
    )
    .action(async (id, { prefix, force, queue }, command) => {
      if (force && !prefix) throw new VaultError("usage", "--force takes --prefix", { hint: "it forgets leases" });
      const path = prefix ? `sys/leases/revoke-${force ? "force" : "prefix"}/${encodeURI(id)}` : "sys/leases/revoke";
      const body = { ...(prefix ? {} : { lease_id: id }), sync: !queue };
      if (!prefix) await assertLease(io, command.optsWithGlobals(), id);
      const text = force ? "Forgotten; the accounts may be there still" : queue ? "Revoked, or on its way" : "Revoked";
      await answerApi(io, command.optsWithGlobals(), { method: "PUT", path, body }, done(text));
    });
}

/** The API ends what is not there as it ends all else; who mistyped it would go away assured. */
async function assertLease(io: Io, globals: ApiOptions, id: string): Promise<void> {
  try {
    await assertThere(io, globals, { method: "POST", path: "sys/leases/lookup", body: { lease_id: id } });
  } catch (error) {
    if (!(error instanceof VaultError) || error.message !== "invalid lease") throw error;
    throw new VaultError("not_found", `There is no lease ${JSON.stringify(id)}`, {
      hint: "see `runevault lease list`",
    });
  }
}

interface HeldBody {
  readonly data: { readonly leases: readonly HeldLease[] };
}

function showHeld({ data: { leases } }: HeldBody): string {
  const rows = leases.map((one) => [
    one.lease_id,
    one.username,
    one.connection,
    one.state,
    one.expire_time,
    one.revoke_error ?? "",
  ]);
  return rows.length === 0 ? "" : table(["LEASE", "ACCOUNT", "CONNECTION", "STATE", "EXPIRES", "PROBLEM"], rows);
}
