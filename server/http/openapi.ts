/**
 * The API as an OpenAPI 3 document, made from the same table that routes requests.
 *
 * @module
 */

import type { MountRecord } from "../../vault/storage/identity_records.ts";
import type { Field } from "./fields.ts";
import { openApiPath } from "./route_path.ts";
import type { Backend, Route } from "./route.ts";

/** Where mounts are listed. */
export interface MountList {
  list(section: "secret" | "auth"): readonly MountRecord[];
}

const TYPES: Readonly<Record<Field<unknown>["type"], Record<string, unknown>>> = {
  string: { type: "string" },
  boolean: { type: "boolean" },
  integer: { type: "integer" },
  array: { type: "array", items: { type: "string" } },
  object: { type: "object" },
  duration: { type: "string", format: "duration" },
  map: { type: "object", additionalProperties: true },
  any: {},
};

/** The document of all mounts that there are. */
export function openApiOf(mounts: MountList, backends: readonly Backend[], version: string): Record<string, unknown> {
  const paths: Record<string, unknown> = {};
  for (const mount of [...mounts.list("secret"), ...mounts.list("auth")]) {
    const backend = backends.find((one) => one.section === mount.section && one.type === mount.type);
    const prefix = mount.section === "auth" ? `/auth/${mount.path}` : `/${mount.path}`;
    for (const route of backend?.routes ?? []) paths[prefix + openApiPath(route.path)] = pathItem(route, mount.type);
  }
  return {
    openapi: "3.0.2",
    info: { title: "RuneVault identity API", description: "HTTP API, Vault-compatible", version },
    servers: [{ url: "/v1" }],
    paths,
  };
}

function pathItem(route: Route, tag: string): Record<string, unknown> {
  const names = [...openApiPath(route.path).matchAll(/\{([^}]+)\}/g)].map((match) => match[1]!);
  const parameters = names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } }));
  const operation = { summary: route.summary, tags: [tag], responses: { "200": { description: "OK" } } };
  return {
    description: route.summary,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.isOpen ? { "x-vault-unauthenticated": true } : {}),
    ...(route.needsSudo ? { "x-vault-sudo": true } : {}),
    ...(route.exists === undefined ? {} : { "x-vault-createSupported": true }),
    ...(route.read === undefined && route.list === undefined ? {} : { get: readOperation(route, operation) }),
    ...(route.write === undefined ? {} : { post: { ...operation, requestBody: bodyOf(route) } }),
    ...(route.patch === undefined ? {} : { patch: { ...operation, requestBody: bodyOf(route) } }),
    ...(route.delete === undefined
      ? {}
      : { delete: { ...operation, responses: { "204": { description: "empty body" } } } }),
  };
}

function readOperation(route: Route, operation: Record<string, unknown>): Record<string, unknown> {
  if (route.list === undefined) return operation;
  const required = route.read === undefined;
  return {
    ...operation,
    parameters: [{ name: "list", in: "query", required, schema: { type: "string", enum: ["true"] } }],
  };
}

function bodyOf(route: Route): Record<string, unknown> {
  const properties = Object.fromEntries(
    Object.entries(route.fields ?? {}).map(([name, field]) => [name, {
      ...TYPES[field.type],
      description: field.description,
    }]),
  );
  return { content: { "application/json": { schema: { type: "object", properties } } } };
}
