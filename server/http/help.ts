/**
 * What a route says of itself: `?help=1`.
 *
 * @module
 */

import { openApiPath } from "./route_path.ts";
import type { Route } from "./route.ts";

/** The help of one route. */
export function helpOf(route: Route): Record<string, unknown> {
  const fields = Object.entries(route.fields ?? {});
  const parameters = fields.map(([name, field]) => `    ${name} (${field.type})\n        ${field.description}`);
  const operations = operationsOf(route).join(", ");
  const help = [
    `Request:        ${openApiPath(route.path)}`,
    `Operations:     ${operations}`,
    "",
    route.summary,
    ...(parameters.length === 0 ? [] : ["", "## PARAMETERS", "", ...parameters]),
  ].join("\n");
  return { help, see_also: null };
}

/** The operations of a route, in the order of HTTP's usual verbs. */
function operationsOf(route: Route): string[] {
  return (["read", "list", "write", "patch", "delete"] as const).filter((name) => route[name] !== undefined);
}
