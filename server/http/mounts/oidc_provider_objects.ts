/**
 * `identity/oidc/{assignment,scope,client,provider}`: what the OIDC provider is made of.
 *
 * @module
 */

import type { OidcProvider } from "../../../vault/oidc/provider/oidc_provider.ts";
import type { OidcClientRecord } from "../../../vault/storage/identity_records.ts";
import { commaList, duration, list, text, type Values } from "../fields.ts";
import { type ApiAnswer, type Route, route } from "../route.ts";

const ASSIGNMENT = {
  entity_ids: commaList("entities that it names"),
  group_ids: commaList("groups that it names"),
};
const SCOPE = {
  template: text("claims: JSON with directives"),
  description: text("what it is for"),
};
const CLIENT = {
  key: text("the key that signs; `default` where absent; can't be changed"),
  redirect_uris: list("where users may be sent back to, compared letter by letter"),
  assignments: commaList("who may sign in; `allow_all`: everybody"),
  client_type: text("`confidential` (default) or `public`; can't be changed"),
  id_token_ttl: duration("how long its identity tokens count; 24h"),
  access_token_ttl: duration("how long its access tokens count; 24h"),
};
const PROVIDER = {
  issuer: text("scheme, host and port; empty: the vault's own"),
  allowed_client_ids: commaList("client IDs that may use it; `*`: all"),
  scopes_supported: commaList("scopes that clients may ask for besides `openid`"),
};

/** The routes. */
export function oidcProviderObjectRoutes(provider: OidcProvider): Route[] {
  return [
    ...assignmentRoutes(provider),
    ...scopeRoutes(provider),
    ...clientRoutes(provider),
    ...providerRoutes(provider),
  ];
}

function assignmentRoutes({ assignments }: OidcProvider): Route[] {
  return [
    route({ path: "oidc/assignment", summary: "All assignments.", list: () => keysOf(assignments.list()) }),
    route({
      path: "oidc/assignment/:name",
      summary: "One assignment: who may sign in to the clients that name it.",
      fields: ASSIGNMENT,
      exists: ({ name }) => assignments.get(name!) !== undefined,
      read: ({ params }) => {
        const found = assignments.get(params["name"]!);
        return found === undefined ? null : { data: { entity_ids: found.entityIds, group_ids: found.groupIds } };
      },
      write: async ({ params, values }) => {
        const { entity_ids: entityIds, group_ids: groupIds } = values;
        await assignments.put(params["name"]!, sent({ entityIds, groupIds }));
        return null;
      },
      delete: async ({ params }) => {
        await assignments.delete(params["name"]!);
        return null;
      },
    }),
  ];
}

function scopeRoutes({ scopes }: OidcProvider): Route[] {
  return [
    route({ path: "oidc/scope", summary: "All scopes.", list: () => keysOf(scopes.list()) }),
    route({
      path: "oidc/scope/:name",
      summary: "One scope: claims that clients may ask for.",
      fields: SCOPE,
      exists: ({ name }) => scopes.get(name!) !== undefined,
      read: ({ params }) => {
        const found = scopes.get(params["name"]!);
        return found === undefined ? null : { data: { template: found.template, description: found.description } };
      },
      write: async ({ params, values }) => {
        await scopes.put(params["name"]!, sent({ template: values.template, description: values.description }));
        return null;
      },
      delete: async ({ params }) => {
        await scopes.delete(params["name"]!);
        return null;
      },
    }),
  ];
}

function clientRoutes(provider: OidcProvider): Route[] {
  const { clients } = provider;
  return [
    route({ path: "oidc/client", summary: "All clients.", list: () => listClients(clients.list()) }),
    route({
      path: "oidc/client/:name",
      summary: "One client: an application that lets its users sign in here.",
      fields: CLIENT,
      exists: ({ name }) => clients.get(name!) !== undefined,
      read: ({ params }) => {
        const client = clients.get(params["name"]!);
        if (client === undefined) return null;
        const secret = clients.secretOf(client);
        return { data: { ...clientBody(client), ...(secret === undefined ? {} : { client_secret: secret }) } };
      },
      write: async ({ params, values, warn }) => {
        await clients.put(params["name"]!, clientInput(values));
        if (clients.get(params["name"]!)?.assignments.length === 0) {
          warn("the client has no assignments, so nobody can sign in; give assignments=allow_all for everybody");
        }
        return null;
      },
      delete: async ({ params }) => {
        await clients.delete(params["name"]!);
        return null;
      },
    }),
  ];
}

function providerRoutes({ providers }: OidcProvider): Route[] {
  return [
    route({ path: "oidc/provider", summary: "All providers.", list: () => keysOf(providers.list()) }),
    route({
      path: "oidc/provider/:name",
      summary: "One provider: an issuer with its clients and scopes.",
      fields: PROVIDER,
      exists: ({ name }) => providers.get(name!) !== undefined,
      read: ({ params }) => {
        const found = providers.get(params["name"]!);
        if (found === undefined) return null;
        return {
          data: {
            issuer: providers.issuerOf(found),
            allowed_client_ids: found.allowedClientIds,
            scopes_supported: found.scopesSupported,
          },
        };
      },
      write: async ({ params, values }) => {
        const { issuer, allowed_client_ids: allowedClientIds, scopes_supported: scopesSupported } = values;
        await providers.put(params["name"]!, sent({ issuer, allowedClientIds, scopesSupported }));
        return null;
      },
      delete: async ({ params }) => {
        await providers.delete(params["name"]!);
        return null;
      },
    }),
  ];
}

function clientInput(values: Values<typeof CLIENT>) {
  return sent({
    key: values.key,
    redirectUris: values.redirect_uris,
    assignments: values.assignments,
    clientType: values.client_type,
    idTokenTtl: values.id_token_ttl,
    accessTokenTtl: values.access_token_ttl,
  });
}

/** What a list may show too: no secret. */
function clientBody(client: OidcClientRecord): Record<string, unknown> {
  return {
    key: client.key,
    redirect_uris: client.redirectUris,
    assignments: client.assignments,
    client_type: client.clientType,
    client_id: client.clientId,
    id_token_ttl: client.idTokenTtl,
    access_token_ttl: client.accessTokenTtl,
  };
}

function listClients(clients: readonly OidcClientRecord[]): ApiAnswer {
  if (clients.length === 0) return null;
  const rows = clients.map((client) => [client.name, clientBody(client)] as const);
  return { data: { keys: rows.map(([name]) => name), key_info: Object.fromEntries(rows) } };
}

function keysOf(names: readonly string[]): ApiAnswer {
  return names.length === 0 ? null : { data: { keys: names } };
}

/** The members that were sent, for inputs whose absent fields stay. */
function sent<T extends object>(input: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const given = Object.entries(input).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
