/**
 * Groups of the operating system by their names, which the runtime has no call for.
 *
 * @module
 */

import { VaultError } from "../vault/mod.ts";

const GROUP_FILE = "/etc/group";

/**
 * The number of a group: of its name in `/etc/group` (group(5)), or given as it is.
 *
 * @throws {VaultError} `config_invalid` where there is no such group.
 */
export async function groupId(group: string, file = GROUP_FILE): Promise<number> {
  if (/^[0-9]{1,9}$/.test(group)) return Number(group);
  const lines = (await Deno.readTextFile(file)).split("\n").map((line) => line.split(":"));
  const number = lines.find(([name]) => name === group)?.[2];
  if (number !== undefined && /^[0-9]{1,9}$/.test(number)) return Number(number);
  throw new VaultError("config_invalid", `There is no group ${JSON.stringify(group.slice(0, 80))} on this machine`, {
    hint: "make it with groupadd, or give the number of another with --admin-socket-group",
  });
}
