/**
 * Writes docs/configuration.md, its table from the one table of settings: `deno run -A tasks/configuration_page.ts`.
 *
 * @module
 */

import { type ConfigOption, SERVE_OPTIONS } from "../server/config_options.ts";

const INTRO = `# Configuration of \`runevault serve\`

Flags beat environment beats file beats default. The file is \`--config FILE\`, else \`<data>/runevault.yml\`, else, for a
user's own default data folder, \`~/.config/runevault/runevault.yml\`, else \`/etc/runevault/runevault.yml\`: a YAML mapping of the keys below; an unknown key is an error that names it. Secrets have no
flag, since arguments are seen by every user of the machine. They are deleted from the environment once read, but
\`/proc/<pid>/environ\` keeps what a process was started with: prefer a file (\`--team-secret-file\`) or a systemd credential.
A variable that begins with \`RUNEVAULT_\` and is none of these sets nothing; the log names it (\`unknown_variable\`).

The data folder is \`--data-dir\`, else \`$STATE_DIRECTORY\`, else \`/var/lib/runevault\` as root, else
\`$XDG_STATE_HOME/runevault\` or \`~/.local/state/runevault\`. Addresses are \`host:port\`, IPv6 in brackets, port 0 for a free
one, or \`off\`. The admin API listens on loopback alone. The actual addresses stand in the log line \`ready\` and in
\`<data>/addresses.json\`.

Signals: SIGTERM and SIGINT stop (calls in flight have 10 s), SIGHUP reads edited YAML files.

| key | flag | environment | meaning |
|---|---|---|---|
`;

const OUTRO = `
# Configuration of the other commands

They find the vault of this machine by its data folder (\`--data-dir\`, \`RUNEVAULT_DATA_DIR\`, or the default above) and ask it
through the admin API, as its operator. \`policy\`, \`entity\`, \`oidc\`, \`db\` and \`lease\` ask the identity API instead, with the rights of a
token, where \`RUNEVAULT_TOKEN\` is set or \`--address\` is given, unless \`--admin-addr\` or \`--admin-socket\` is. \`login\` always does.

| environment | meaning |
|---|---|
| \`RUNEVAULT_TOKEN\`, \`VAULT_TOKEN\` | the token; never an argument, never shown |
| \`RUNEVAULT_ADDR\`, \`VAULT_ADDR\` | the identity API, such as \`https://vault.example.org:8200\` (default: the \`api\` of \`<data>/addresses.json\`, else \`https://127.0.0.1:8200\`) |
| \`RUNEVAULT_CACERT\`, \`VAULT_CACERT\` | a PEM file with the authority of its certificate (default: \`<data>/tls/ca.pem\` where it can be read) |
| \`RUNEVAULT_ALLOW_PLAINTEXT\` | \`true\`: a token or password may go to an \`http://\` address that is not this machine |
| \`RUNEVAULT_OPERATOR_TOKEN_FILE\`, \`RUNEVAULT_OPERATOR_TOKEN\` | an operator's token, or the file with it (default: \`<data>/admin.token\`) |
| \`RUNEVAULT_BACKUP_PASSPHRASE\` | the passphrase of \`backup\` and \`restore\`; a file or a credential is better |

Certificates are always checked: \`VAULT_SKIP_VERIFY\` is not honoured, since the token would go to whoever answers. Redirects are
not followed for the same reason, and plain HTTP doesn't go through a proxy.
`;

/** The page. */
export function configurationPage(): string {
  return INTRO + SERVE_OPTIONS.map(rowOf).join("") + OUTRO;
}

function rowOf({ key, flag, env, legacyEnv, help, secret, once }: ConfigOption): string {
  if (once) return `| none | \`${flag}\` | none | ${help} |\n`;
  const variables = [env, ...(legacyEnv === undefined ? [] : [legacyEnv])].map((name) => `\`${name}\``).join(", ");
  return `| \`${key}\` | ${secret ? "none" : `\`${flag}\``} | ${variables} | ${help} |\n`;
}

if (import.meta.main) {
  await Deno.writeTextFile(new URL("../docs/configuration.md", import.meta.url), configurationPage());
}
