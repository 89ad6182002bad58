/**
 * There is one namespace, the root.
 *
 * @module
 */

import { HttpProblem } from "./problem.ts";

const ROOT_NAMESPACES = new Set(["", "/", "root", "root/"]);

/** The root as the client called it; null: it named none, or another. */
export function rootNamespaceOf({ headers }: Request): string | null {
  const namespace = headers.get("x-vault-namespace");
  return namespace !== null && ROOT_NAMESPACES.has(namespace) ? namespace : null;
}

/** A client that asks for another namespace must not be answered from this one. */
export function assertRootNamespace({ headers, url }: Request): void {
  const namespace = headers.get("x-vault-namespace");
  if (namespace === null || ROOT_NAMESPACES.has(namespace)) return;
  const { pathname } = new URL(url);
  // What a client asks before anything else is the same for whatever namespace it was told to use.
  if (pathname === "/v1/sys/seal-status") return;
  if (pathname === "/v1/sys/health") throw new HttpProblem(400, ["operation unavailable in namespaces"]);
  throw new HttpProblem(404, ["namespace not found"]);
}
