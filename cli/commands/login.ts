/**
 * `runevault login`: prints a token and stores nothing.
 *
 * @module
 */

import { Option } from "@commander-js/extra-typings";
import { VaultError } from "../../vault/errors.ts";
import { apiCommand, apiPath, askWithoutToken } from "../api_session.ts";
import { escapeControls } from "../format.ts";
import { type CliContext, examples, type Root } from "../program.ts";

/** Adds the command. */
export function addLoginCommand(root: Root, { io }: CliContext): void {
  apiCommand(root, "login", "Log in by name and password and print the token; nothing is stored.")
    .argument("<username>", "the name to log in by")
    .addOption(new Option("--method <METHOD>", "the auth method").choices(["userpass"]).default("userpass"))
    .option("--path <MOUNT>", "where the auth method is mounted", "userpass")
    .addHelpText("after", examples("export RUNEVAULT_TOKEN=$(runevault login alice)"))
    .action(async (username, { path }, command) => {
      const globals = command.optsWithGlobals();
      const password = await io.secret(`Password of ${username}: `);
      if (password === "") throw new VaultError("usage", "No password was given", { hint: "type it, or pipe it in" });
      const mount = path.replace(/^(auth\/|\/)+|\/+$/g, "").split("/").map((segment) => apiPath`${segment}`).join("/");
      const question = {
        method: "POST" as const,
        path: `auth/${mount}/login/${apiPath`${username}`}`,
        body: { password },
      };
      const text = await askWithoutToken(io, globals, question);
      const { auth } = JSON.parse(text) as { auth: { client_token: string } };
      await io.out(globals.json ? `${escapeControls(text)}\n` : `${escapeControls(auth.client_token)}\n`);
    });
}
