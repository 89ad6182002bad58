/**
 * Where the data folder and the configuration are when nobody says. The server and the CLI ask the same function, so they agree.
 *
 * @module
 */

/**
 * The default data folder: `$STATE_DIRECTORY` (what systemd made for the service), `/var/lib/runevault` as root, else
 * `runevault` in `$XDG_STATE_HOME` or `~/.local/state`.
 *
 * @param env Reads an environment variable.
 * @param uid The user id of the process; null where there are none.
 * @returns Undefined when even the home folder is unknown.
 */
export function defaultDataDir(env: (name: string) => string | undefined, uid: number | null): string | undefined {
  // systemd joins several folders by colons; the first is the service's main one.
  const given = env("STATE_DIRECTORY")?.split(":")[0];
  if (given) return given;
  if (uid === 0) return "/var/lib/runevault";
  const state = env("XDG_STATE_HOME");
  // The XDG base directory specification says to ignore relative paths.
  if (state?.startsWith("/")) return `${state}/runevault`;
  const home = env("HOME");
  return home ? `${home}/.local/state/runevault` : undefined;
}

/**
 * The configuration of a user's own vault, as `install.sh --user` writes it: `runevault/runevault.yml` in
 * `$XDG_CONFIG_HOME` or `~/.config`.
 *
 * @returns Undefined for root, whose vault is the machine's, and where the home folder is unknown.
 */
export function userConfigFile(env: (name: string) => string | undefined, uid: number | null): string | undefined {
  if (uid === 0) return undefined;
  const config = env("XDG_CONFIG_HOME");
  if (config?.startsWith("/")) return `${config}/runevault/runevault.yml`;
  const home = env("HOME");
  return home ? `${home}/.config/runevault/runevault.yml` : undefined;
}
