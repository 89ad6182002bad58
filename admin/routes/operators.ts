/**
 * `/operators`: who may manage the vault. A usable token appears only in the answers that make one.
 *
 * @module
 */

import { quoteName } from "../../vault/names.ts";
import type { IssuedOperator, OperatorSummary } from "../../vault/operators/operators.ts";
import { text } from "../body.ts";
import type { AdminVault } from "../ports.ts";
import { type AdminContext, type AdminRoute, bodyOf, nameIn } from "../route.ts";
import type { NewOperatorBody, OperatorRow } from "../wire.ts";

/** The routes of operators. Whoever may change them may make themselves anything. */
export function operatorRoutes({ operators }: Pick<AdminVault, "operators">): readonly AdminRoute[] {
  return [
    { method: "GET", path: "/operators", handle: (c) => c.json({ operators: operators.list().map(toRow) }) },
    { method: "POST", path: "/operators", needs: "all", handle: (c) => add(c, operators) },
    { method: "POST", path: "/operators/:name/rotate", needs: "all", handle: (c) => rotate(c, operators) },
    { method: "DELETE", path: "/operators/:name", needs: "all", handle: (c) => remove(c, operators) },
  ];
}

type Operators = AdminVault["operators"];

async function add(c: AdminContext, operators: Operators): Promise<Response> {
  const { name, scope } = await bodyOf(c, { name: text, scope: text });
  return c.json(toIssued(await operators.add(name, scope)), 201);
}

async function rotate(c: AdminContext, operators: Operators): Promise<Response> {
  await bodyOf(c, {});
  return c.json(toIssued(await operators.rotate(nameIn(c, "name"))));
}

async function remove(c: AdminContext, operators: Operators): Promise<Response> {
  const name = nameIn(c, "name");
  await operators.remove(name);
  return c.json({ message: `Removed operator ${quoteName(name)}`, name });
}

function toIssued({ token, ...summary }: IssuedOperator): NewOperatorBody {
  return { ...toRow(summary), token };
}

function toRow({ name, scope, createdAt, rotatedAt }: OperatorSummary): OperatorRow {
  return {
    name,
    scope,
    created_at: new Date(createdAt).toISOString(),
    rotated_at: rotatedAt === undefined ? null : new Date(rotatedAt).toISOString(),
  };
}
