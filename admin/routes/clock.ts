/**
 * `/clock`: whether the vault believes its clock, and an operator's word that it may.
 *
 * @module
 */

import type { AdminVault } from "../ports.ts";
import { type AdminRoute, bodyOf } from "../route.ts";
import type { ClockBody } from "../wire.ts";

/** The routes of the clock guard. */
export function clockRoutes({ clockGuard }: Pick<AdminVault, "clockGuard">): readonly AdminRoute[] {
  return [
    { method: "GET", path: "/clock", handle: (c) => c.json(clockGuard.status() satisfies ClockBody) },
    {
      method: "POST",
      path: "/clock/accept",
      handle: async (c) => {
        await bodyOf(c, {});
        return c.json(await clockGuard.accept() satisfies ClockBody);
      },
    },
  ];
}
