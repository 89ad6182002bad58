/**
 * `runevault db connection …`: how servers are reached.
 *
 * @module
 */

import { answerApi, apiPath, deleteApi, done, listKeys, showData } from "../api_session.ts";
import type { Io } from "../io.ts";
import { commaList, wholeNumber } from "../numbers.ts";
import { examples } from "../program.ts";
import { repeated } from "../repeated.ts";
import { readTextFile } from "../text_file.ts";
import { type DatabaseGroup, mountPath } from "./db_mount.ts";

const MAX_CA_BYTES = 1024 * 1024;
/** Kinds of servers in short; anything else is taken for a plugin's name. */
const PLUGINS = new Map([
  ["mysql", "mysql-database-plugin"],
  ["mariadb", "mysql-database-plugin"],
  ["postgresql", "postgresql-database-plugin"],
]);

/** Adds the commands for connections. */
export function addConnectionCommands(db: DatabaseGroup, io: Io): void {
  const connection = db.command("connection").helpCommand(false).description("Connections to database servers.");
  const pathOf = (mount: string, name: string, verb = "config") => `${mountPath(mount)}/${verb}/${apiPath`${name}`}`;

  connection.command("list").description("List the connections.")
    .addHelpText("after", examples("runevault db connection list"))
    .action(async (_options, command) => {
      const globals = command.optsWithGlobals();
      await listKeys(io, globals, `${mountPath(globals.mount)}/config`);
    });

  connection.command("show").description("Show a connection, without its password.")
    .argument("<CONNECTION>", "its name")
    .addHelpText("after", examples("runevault db connection show main"))
    .action(async (name, _options, command) => {
      const globals = command.optsWithGlobals();
      await answerApi(io, globals, { method: "GET", path: pathOf(globals.mount, name) }, showData);
    });

  connection.command("write").description(
    "Make or change a connection; with --username the password is asked for, or read from stdin.",
  )
    .argument("<CONNECTION>", "its name")
    .option("--plugin <KIND>", "mysql, mariadb, postgresql, or the name of a plugin")
    .option("--url <URL>", "where it leads, with {{username}} and {{password}} in it")
    .option("--username <NAME>", "the account that makes the others")
    .option("--allowed-roles <ROLES>", "roles that it serves, separated by commas; `*` stands for anything", commaList)
    .option("--username-template <TEMPLATE>", "how accounts are named")
    .option("--password-policy <POLICY>", "policy of the passwords")
    .option(
      "--root-rotation-statement <SQL>",
      "what gives its own account another password; may be repeated",
      repeated,
      [],
    )
    .option("--max-open <COUNT>", "connections at the same time", wholeNumber("--max-open"))
    .option("--tls-ca <FILE>", "authority of the server's certificate")
    .option("--no-verify", "don't try it out first")
    .addHelpText(
      "after",
      examples(
        "runevault db connection write main --plugin mysql --url '{{username}}:{{password}}@tcp(127.0.0.1:3306)/' " +
          "--username vault --allowed-roles '*' < password",
      ),
    )
    .action(async (name, options, command) => {
      const globals = command.optsWithGlobals();
      const { plugin, url, username, allowedRoles, usernameTemplate, passwordPolicy, rootRotationStatement } = options;
      const body = {
        plugin_name: plugin === undefined ? undefined : PLUGINS.get(plugin) ?? plugin,
        connection_url: url,
        username,
        password: username === undefined ? undefined : await io.secret(`Password of ${username}: `),
        allowed_roles: allowedRoles,
        username_template: usernameTemplate,
        password_policy: passwordPolicy,
        root_rotation_statements: rootRotationStatement.length > 0 ? rootRotationStatement : undefined,
        max_open_connections: options.maxOpen,
        tls_ca: options.tlsCa === undefined ? undefined : await readTextFile(io, options.tlsCa, MAX_CA_BYTES),
        verify_connection: options.verify,
      };
      const question = { method: "POST" as const, path: pathOf(globals.mount, name), body };
      await answerApi(io, globals, question, done(`Wrote the connection ${name}`));
    });

  connection.command("delete").description("Delete a connection; leases on it wait for one of its name.")
    .argument("<CONNECTION>", "its name")
    .addHelpText("after", examples("runevault db connection delete main"))
    .action(async (name, _options, command) => {
      const globals = command.optsWithGlobals();
      await deleteApi(io, globals, pathOf(globals.mount, name), `Deleted the connection ${name}`);
    });

  connection.command("reset").description("Close a connection and open it anew.")
    .argument("<CONNECTION>", "its name")
    .addHelpText("after", examples("runevault db connection reset main"))
    .action(async (name, _options, command) => {
      const globals = command.optsWithGlobals();
      const question = { method: "POST" as const, path: pathOf(globals.mount, name, "reset"), body: {} };
      await answerApi(io, globals, question, done(`Reset the connection ${name}`));
    });

  connection.command("rotate-root").description("Give a connection's own account a password that nobody else knows.")
    .argument("<CONNECTION>", "its name")
    .addHelpText("after", examples("runevault db connection rotate-root main"))
    .action(async (name, _options, command) => {
      const globals = command.optsWithGlobals();
      const question = { method: "POST" as const, path: pathOf(globals.mount, name, "rotate-root"), body: {} };
      await answerApi(io, globals, question, done(`Rotated the password of the connection ${name}`));
    });
}
