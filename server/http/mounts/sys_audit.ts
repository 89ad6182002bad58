/**
 * `sys/audit`: which audit devices there are.
 *
 * @module
 */

import { type Route, route } from "../route.ts";

/** The routes. */
export function sysAuditRoutes(): Route[] {
  return [
    route({
      path: "audit",
      summary: "The audit devices: none can be made through the API.",
      needsSudo: true,
      read: () => ({ data: {}, isDuplicated: true }),
    }),
  ];
}
