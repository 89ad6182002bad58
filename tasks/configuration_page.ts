/**
 * Writes the table of docs/configuration.md from the one table of settings: `deno run -A tasks/configuration_page.ts`.
 *
 * @module
 */

import { SERVE_OPTIONS } from "../server/config_options.ts";

const INTRO = `# Configuration of \`runevault serve\`

Flags beat environment beats file beats default. The file is \`--config FILE\`, else \`<data>/runevault.yml\`, else
\`/etc/runevault/runevault.yml\`: a YAML mapping of the keys below; an unknown key is an error that names it. Secrets have no
flag, since arguments are seen by every user of the machine. They are deleted from the environment once read, but
\`/proc/<pid>/environ\` keeps what a process was started with: prefer a file (\`--team-secret-file\`) or a systemd credential.

The data folder is \`--data-dir\`, else \`$STATE_DIRECTORY\`, else \`/var/lib/runevault\` as root, else
\`$XDG_STATE_HOME/runevault\` or \`~/.local/state/runevault\`. Addresses are \`host:port\`, IPv6 in brackets, port 0 for a free
one, or \`off\`. The admin API listens on loopback alone. The actual addresses stand in the log line \`ready\` and in
\`<data>/addresses.json\`.

Signals: SIGTERM and SIGINT stop (calls in flight have 10 s), SIGHUP reads edited YAML files.

| key | flag | environment | meaning |
|---|---|---|---|
`;

const rows = SERVE_OPTIONS.map(({ key, flag, env, legacyEnv, help, secret }) => {
  const variables = [env, ...(legacyEnv === undefined ? [] : [legacyEnv])].map((name) => `\`${name}\``).join(", ");
  return `| \`${key}\` | ${secret ? "none" : `\`${flag}\``} | ${variables} | ${help} |\n`;
});

await Deno.writeTextFile(new URL("../docs/configuration.md", import.meta.url), INTRO + rows.join(""));
