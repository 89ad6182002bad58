/**
 * The ports of a vault: free for one that is stopped, answered by one that runs.
 *
 * @module
 */

import type { Config } from "../config.ts";
import { type ListenAddress, parseListenAddress } from "../tls/mod.ts";
import { type Finding, ok, problem } from "./finding.ts";

/** Nothing on the same machine takes longer to answer. */
const DIAL_MS = 3000;

/** The listeners by the names that `addresses.json` has for them. */
const LISTENERS = { grpc: "gRPC", api: "identity API", admin: "admin", metrics: "metrics" } as const;

interface Port extends ListenAddress {
  readonly name: string;
}

/** Dials every port. A running server's are those that it says it listens on, whatever the configuration says now. */
export async function examinePorts(config: Config, isRunning: boolean): Promise<Finding[]> {
  const ports = isRunning ? await portsOfRunning(config.dataDir) : portsOf(config);
  const answered = await Promise.all(ports.map(answers));
  const wrong = ports.filter((_, i) => answered[i] !== isRunning);
  if (wrong.length > 0) return wrong.map((port) => isRunning ? silent(port) : taken(port));
  const names = ports.map(shown).join(", ");
  if (ports.length === 0) return [ok("ports", "none is configured")];
  return [ok("ports", isRunning ? `the server answers on ${names}` : `${names}: free`)];
}

function silent(port: Port): Finding {
  const remedy = "look at the server's log, and restart it; a packet filter may also stand between";
  return problem("ports", `the server runs, and nobody answers on ${shown(port)}`, remedy);
}

function taken(port: Port): Finding {
  return problem(
    "ports",
    `${shown(port)} is another program's`,
    "stop that program, or give this vault another port",
  );
}

function shown({ name, host, port }: Port): string {
  return `${name} ${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function portsOf(config: Config): Port[] {
  const keys = Object.keys(LISTENERS) as (keyof typeof LISTENERS)[];
  return keys.flatMap((key) => {
    const address = config[key];
    return address === null || address.port === 0 ? [] : [{ name: LISTENERS[key], ...address }];
  });
}

async function portsOfRunning(dataDir: string): Promise<Port[]> {
  const addresses = JSON.parse(await Deno.readTextFile(`${dataDir}/addresses.json`)) as Record<string, unknown>;
  return Object.entries(LISTENERS).flatMap(([key, name]) => {
    const text = addresses[key];
    const address = typeof text === "string" ? parseListenAddress(text, key) : null;
    return address === null ? [] : [{ name, ...address }];
  });
}

async function answers({ host, port }: Port): Promise<boolean> {
  const hostname = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  try {
    (await Deno.connect({ hostname, port, signal: AbortSignal.timeout(DIAL_MS) })).close();
    return true;
  } catch {
    return false;
  }
}
