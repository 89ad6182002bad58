/**
 * `/users/:name/cutoff` and `…/restore`: ending a user's every access, and seeing that it worked.
 *
 * @module
 */

import { quoteName } from "../../vault/names.ts";
import { defined, optional, text } from "../body.ts";
import type { AdminVault } from "../ports.ts";
import { type AdminContext, type AdminRoute, bodyOf, nameIn } from "../route.ts";
import type { CutOffBody } from "../wire.ts";

type CutOff = AdminVault["engine"]["cutOff"];

/** The routes of cut-offs. */
export function cutoffRoutes({ engine, operators }: Pick<AdminVault, "engine" | "operators">): readonly AdminRoute[] {
  const { cutOff } = engine;
  return [
    {
      method: "GET",
      path: "/users/:name/cutoff",
      handle: (c) => c.json(toBody(cutOff.show(nameIn(c, "name")), operators)),
    },
    { method: "POST", path: "/users/:name/cutoff", needs: "tokens", handle: (c) => cut(c, cutOff, operators) },
    { method: "POST", path: "/users/:name/restore", needs: "tokens", handle: (c) => restore(c, cutOff) },
  ];
}

async function cut(c: AdminContext, cutOff: CutOff, operators: AdminVault["operators"]): Promise<Response> {
  const { reason } = await bodyOf(c, { reason: optional(text) });
  return c.json(toBody(await cutOff.cutOff(nameIn(c, "name"), reason), operators));
}

async function restore(c: AdminContext, cutOff: CutOff): Promise<Response> {
  await bodyOf(c, {});
  const { user, disabled } = await cutOff.restore(nameIn(c, "name"));
  const state = disabled ? "is no longer cut off, and disabled as before" : "is let in again";
  return c.json({ message: `User ${quoteName(user)} ${state}; what was revoked stays revoked`, user, disabled });
}

function toBody(report: ReturnType<CutOff["show"]>, operators: AdminVault["operators"]): CutOffBody {
  const { user, entityId: entity_id, cutOff, ended, pending, held } = report;
  return {
    user,
    entity_id,
    at: moment(cutOff.at),
    ...defined({ reason: cutOff.reason }),
    ended: {
      evt_tokens: ended.evtTokens,
      service_tokens: ended.serviceTokens,
      wrapped_answers: ended.wrappedAnswers,
      leases: ended.leases,
    },
    blocked_logins: report.blockedLogins,
    open_namesakes: report.openNamesakes,
    open_operator: operatorNamed(user, operators),
    pending: pending.map(({ leaseId, account, since, reason }) => ({
      lease_id: leaseId,
      account,
      since: moment(since),
      reason,
    })),
    held: held.map(({ since, ...thing }) => ({ ...thing, since: since === null ? null : moment(since) })),
  };
}

/** Operators are no users, but a person may be both. */
function operatorNamed(user: string, operators: AdminVault["operators"]): string | null {
  return operators.list().find(({ name }) => name.toLowerCase() === user.toLowerCase())?.name ?? null;
}

function moment(at: number): string {
  return new Date(at).toISOString();
}
