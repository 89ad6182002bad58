/**
 * The second place of the audit trail: syslog or standard output.
 *
 * @module
 */

import { hostname } from "node:os";
import { type Logger, VaultError } from "../../vault/mod.ts";
import { LineQueue } from "./line_queue.ts";
import { syslogPlace, type SyslogTarget } from "./syslog.ts";

/** Where a second place is. */
export type MirrorSetting = "stdout" | SyslogTarget;

const SYSLOG_PORT = 514;

/**
 * Parses `stdout`, `udp://HOST[:PORT]`, `tcp://HOST[:PORT]` or `unix:///PATH`.
 *
 * @throws {VaultError} `config_invalid`.
 */
export function parseMirror(text: string): MirrorSetting {
  if (text === "stdout") return text;
  const url = URL.parse(text);
  const path = url === null ? "" : decodeURIComponent(url.pathname);
  if (url?.protocol === "unix:" && url.host === "" && path.length > 1) return { transport: "unix", path };
  const transport = url?.protocol === "udp:" ? "udp" : url?.protocol === "tcp:" ? "tcp" : undefined;
  const isBare = url !== null && ["", "/"].includes(url.pathname) && url.username === "" && url.search === "";
  if (transport !== undefined && isBare && url.hostname !== "") {
    const port = url.port === "" ? SYSLOG_PORT : Number(url.port);
    return { transport, hostname: url.hostname.replace(/^\[|\]$/g, ""), port };
  }
  throw new VaultError("config_invalid", "The setting --audit-mirror is none that is known", {
    hint: "write stdout, udp://HOST:514, tcp://HOST:514 or unix:///dev/log",
  });
}

/** Opens the place; that it can't be reached is no reason not to start, as the file takes the lines. */
export async function openMirror(setting: MirrorSetting, dataDir: string, logger: Logger): Promise<LineQueue> {
  const sender = { hostname: hostname(), pid: Deno.pid, ownPath: `${dataDir}/syslog.sock` };
  const place = setting === "stdout" ? STDOUT : syslogPlace(setting, sender);
  const name = setting === "stdout" ? setting : `syslog over ${setting.transport}`;
  const queue = new LineQueue(name, place, logger);
  await queue.tried();
  return queue;
}

const STDOUT = {
  open: () => Promise.resolve(),
  send: async (line: string) => {
    const bytes = new TextEncoder().encode(`${line}\n`);
    for (let done = 0; done < bytes.length;) done += await Deno.stdout.write(bytes.subarray(done));
  },
  close: () => {},
};
