/**
 * The programs under siege: the source, and the compiled binary where there is one.
 *
 * @module
 */

import { binaryRuntime, isAtLeast } from "../binary/_binary.ts";

const BINARY = new URL("../../dist/runevault", import.meta.url).pathname;
/** The first runtime whose HTTP/2 servers do TLS. */
const FIRST_WITH_TLS = "2.7.13";

/** One of them. */
export interface Program {
  readonly name: "source" | "binary";
  /** The version of the Deno that runs it. */
  readonly runtime: () => Promise<string>;
  /** Runs something whose servers are this program. */
  readonly during: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Those that are wanted and there. */
export async function programs(wanted: readonly string[] | undefined): Promise<readonly Program[]> {
  const binary = Deno.env.get("RUNEVAULT_BINARY") ?? BINARY;
  const hasBinary = await Deno.stat(binary).then(() => true, () => false);
  const all = [programOf("source", null), ...(hasBinary ? [programOf("binary", binary)] : [])];
  return all.filter(({ name }) => wanted?.includes(name) ?? true);
}

/** Whether the compiled binary's runtime can serve gRPC over TLS. */
export async function binaryCanServeTls(): Promise<boolean> {
  const former = Deno.env.get("RUNEVAULT_BINARY");
  Deno.env.set("RUNEVAULT_BINARY", former ?? BINARY);
  try {
    return isAtLeast(await binaryRuntime(), FIRST_WITH_TLS);
  } finally {
    if (former === undefined) Deno.env.delete("RUNEVAULT_BINARY");
  }
}

/** What starts servers looks at this variable each time. */
function programOf(name: Program["name"], path: string | null): Program {
  const during = async <T>(work: () => Promise<T>) => {
    const former = Deno.env.get("RUNEVAULT_BINARY");
    if (path === null) Deno.env.delete("RUNEVAULT_BINARY");
    else Deno.env.set("RUNEVAULT_BINARY", path);
    try {
      return await work();
    } finally {
      if (former === undefined) Deno.env.delete("RUNEVAULT_BINARY");
      else Deno.env.set("RUNEVAULT_BINARY", former);
    }
  };
  const runtime = () => path === null ? Promise.resolve(Deno.version.deno) : during(binaryRuntime);
  return { name, runtime, during };
}
