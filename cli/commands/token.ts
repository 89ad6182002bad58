/**
 * `runevault token …`
 *
 * @module
 */

import { adminPath } from "../../admin/client.ts";
import type { IssuedTokenBody, RevokedTokenBody, StatusReport, TokenDetail, TokenRow } from "../../admin/wire.ts";
import { asVaultError, type VaultError } from "../../vault/errors.ts";
import { parseExpires, parseGrace } from "../durations.ts";
import { errorText, escapeControls, facts, messageLine, showExpiry, table } from "../format.ts";
import type { Io } from "../io.ts";
import { type CliContext, examples, type GlobalOptions, type Root } from "../program.ts";
import { answerPaged } from "../paged.ts";
import { answer, connect, type Question } from "../session.ts";

/** Adds the commands for user tokens. */
export function addTokenCommands(root: Root, { io }: CliContext): void {
  const token = root.command("token").helpCommand(false).description("Issue, rotate and revoke the tokens of users.");

  token.command("issue").description("Give a user a token; the user is made where there is none.")
    .requiredOption("--user <user>", "the user's name")
    .requiredOption("--role <role>", "the role of the token")
    .option("--expires <SPAN>", "how long it is valid: 90d, 12w, 6m (m = 30 days), or days", parseExpires)
    .option("--force", "though a database role has the user's name")
    .addHelpText("after", examples("runevault token issue --user alice --role member --expires 90d"))
    .action(async ({ user, role, expires, force }, command) => {
      const body = { user, role, expires_days: expires, force };
      await issue(io, command.optsWithGlobals(), { method: "POST", path: "/tokens", body });
    });

  token.command("rotate").description("Give a user a new token in place of the old one.")
    .requiredOption("--user <user>", "the user's name")
    .option("--expires <SPAN>", "how long the new one is valid: 90d, 12w, 6m (m = 30 days), or days", parseExpires)
    .option("--grace <SPAN>", "how long the old one still works: 30s, 10m, 24h at most", parseGrace)
    .addHelpText(
      "after",
      examples("runevault token rotate --user alice", "runevault token rotate --user alice --grace 10m"),
    )
    .action(async ({ user, expires, grace }, command) => {
      const body = { expires_days: expires, grace_seconds: grace };
      await issue(io, command.optsWithGlobals(), { method: "POST", path: adminPath`/tokens/${user}/rotate`, body });
    });

  token.command("revoke").description("End a user's token, at once.")
    .requiredOption("--user <user>", "the user's name, or the name or id of an entity that has logins alone")
    .addHelpText("after", examples("runevault token revoke --user alice"))
    .action(async ({ user }, command) => {
      const question: Question = { method: "DELETE", path: adminPath`/tokens/${user}` };
      await answer<RevokedTokenBody>(io, command.optsWithGlobals(), question, showRevoked);
    });

  token.command("list").description("List the tokens of all users; the tokens themselves are not known.")
    .addHelpText("after", examples("runevault token list", "runevault token list --json"))
    .action(async (_options, command) => {
      await answerPaged<TokenRow>(io, command.optsWithGlobals(), {
        path: "/tokens",
        key: "tokens",
        nameOf: (row) => row.user,
        show: showList,
      });
    });

  token.command("show").description("Show what is known of a user's token.")
    .requiredOption("--user <user>", "the user's name")
    .addHelpText("after", examples("runevault token show --user alice"))
    .action(async ({ user }, command) => {
      const question: Question = { method: "GET", path: adminPath`/tokens/${user}` };
      await answer<TokenDetail>(io, command.optsWithGlobals(), question, showDetail);
    });
}

/** The token is printed before anything else is asked: it is known now and never again. */
async function issue(io: Io, globals: GlobalOptions, question: Question): Promise<void> {
  await answer<IssuedTokenBody>(io, globals, question, showIssued);
  if (globals.json) return;
  await io.err("Hand the token over now: it is not shown again.\n");
  await io.err(await caToPin(io, globals));
}

async function caToPin(io: Io, globals: GlobalOptions): Promise<string> {
  try {
    using client = await connect(io, globals);
    const { tls } = await client.json<StatusReport>("GET", "/status");
    if (!tls?.ca_sha256) return "";
    return facts([["CA to give the client", tls.ca_path], ["SHA-256 to pin it by", tls.ca_sha256]]);
  } catch (error) {
    return errorText(withoutFailing(asVaultError(error)));
  }
}

/** The token was issued and printed; that its CA is not known must not look as if it was not. */
function withoutFailing(error: VaultError): { message: string; hint: string } {
  return {
    message: `The token is issued, but the CA to pin could not be asked for: ${error.message}`,
    hint: "see `runevault status`",
  };
}

function showRevoked(revoked: RevokedTokenBody): string {
  const close = `login still open: \`runevault user cutoff ${escapeControls(revoked.user)}\` closes it\n`;
  const open = revoked.login_open ? close : "";
  return messageLine(revoked) + open +
    revoked.warnings.map((warning) => `Warning: ${escapeControls(warning)}\n`).join("");
}

function showIssued(issued: IssuedTokenBody): string {
  return facts([
    ["User", issued.user],
    ["Role", issued.role],
    ["Expires", showExpiry(issued.expires)],
    ["Old token works until", issued.grace_until],
    ["Token", issued.token],
  ]);
}

function showDetail(token: TokenDetail): string {
  return facts([
    ["User", token.user],
    ["Role", token.role],
    ["Top k", String(token.top_k)],
    ["Rate", token.rate_limit],
    ["Issued", token.issued_at ?? "unknown"],
    ["Expires", showExpiry(token.expires)],
    ["Agent id", token.agent_id],
    ["Secret version", String(token.secret_version)],
    ["Old token works until", token.grace_until],
  ]);
}

function showList(tokens: readonly TokenRow[]): string {
  const byUser = tokens.toSorted((a, b) => a.user < b.user ? -1 : 1);
  const rows = byUser.map((t) => [t.user, t.role, String(t.top_k), t.rate_limit, showExpiry(t.expires)]);
  return table(["USER", "ROLE", "TOP_K", "RATE", "EXPIRES"], rows);
}
