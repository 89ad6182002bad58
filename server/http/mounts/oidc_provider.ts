/**
 * `identity/oidc/provider/:name/…`: where applications and their users' browsers come (OpenID Connect Core 1.0).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ALGORITHMS } from "../../../vault/oidc/algorithms.ts";
import { oauthCodeOf, oauthError, type OAuthErrorCode } from "../../../vault/oidc/provider/oauth_error.ts";
import type { OidcProvider } from "../../../vault/oidc/provider/oidc_provider.ts";
import { OPENID } from "../../../vault/oidc/provider/scopes.ts";
import type { ClientCredentials } from "../../../vault/oidc/provider/token_exchange.ts";
import type { OidcProviderRecord } from "../../../vault/storage/identity_records.ts";
import { text, type Values } from "../fields.ts";
import { type ApiAnswer, type ApiRequest, type RawAnswer, type Route, route } from "../route.ts";

const AUTHORIZE = {
  scope: text("scopes, separated by spaces; `openid` among them"),
  response_type: text("`code`"),
  client_id: text("the client"),
  redirect_uri: text("where the user is sent back to"),
  state: text("given back as it is"),
  nonce: text("put into the identity token"),
  max_age: text("seconds since the user signed in, at most"),
  code_challenge: text("PKCE: what the exchange must prove to know (RFC 7636)"),
  code_challenge_method: text("`S256` or `plain`"),
  request: text("not supported"),
  request_uri: text("not supported"),
};
const EXCHANGE = {
  grant_type: text("`authorization_code`"),
  code: text("the code"),
  redirect_uri: text("as it was when the code was asked for"),
  client_id: text("the client, where it isn't in the Authorization header"),
  client_secret: text("its secret, where it isn't in the Authorization header"),
  code_verifier: text("PKCE: the proof"),
};
/** Verifiers in browsers fetch them from anywhere; there is nothing to protect. */
const PUBLIC = { "access-control-allow-origin": "*" };
const NOT_STORED = { "cache-control": "no-store", "pragma": "no-cache" };

/** The routes. */
export function oidcProviderRoutes(provider: OidcProvider): Route[] {
  return [...flowRoutes(provider), ...publicRoutes(provider)];
}

function flowRoutes(provider: OidcProvider): Route[] {
  const authorize = (request: ApiRequest<typeof AUTHORIZE>) => authorized(provider, request);
  const tell = (request: ApiRequest) => userInfo(provider, request);
  return [
    route({
      path: "oidc/provider/:name/authorize",
      summary: "A code for an application, on behalf of the caller's own entity.",
      fields: AUTHORIZE,
      read: authorize,
      write: authorize,
    }),
    route({
      path: "oidc/provider/:name/token",
      summary: "Changes a code for an access token and an identity token.",
      fields: EXCHANGE,
      isOpen: true,
      write: (request) => exchanged(provider, request),
    }),
    route({
      path: "oidc/provider/:name/userinfo",
      summary: "The claims of the user whom an access token stands for.",
      isOpen: true,
      read: tell,
      write: tell,
    }),
  ];
}

function publicRoutes(provider: OidcProvider): Route[] {
  const { providers } = provider;
  return [
    route({
      path: "oidc/provider/:name/.well-known/openid-configuration",
      summary: "Where applications find what they need (OpenID Connect Discovery §4).",
      isOpen: true,
      read: ({ params }) => {
        const found = providers.get(params["name"]!);
        if (found === undefined) return null;
        return { raw: discovery(found, provider), headers: { "cache-control": "max-age=3600", ...PUBLIC } };
      },
    }),
    route({
      path: "oidc/provider/:name/.well-known/keys",
      summary: "The public keys that verify the provider's identity tokens (RFC 7517 §5).",
      isOpen: true,
      read: ({ params }) => {
        const found = providers.get(params["name"]!);
        if (found === undefined) return null;
        const { keys, maxAge } = provider.published(found);
        const cache = maxAge === 0 ? "no-store" : `max-age=${maxAge}`;
        return { raw: { keys }, headers: { "cache-control": cache, ...PUBLIC } };
      },
    }),
  ];
}

function discovery(found: OidcProviderRecord, { providers }: OidcProvider): Record<string, unknown> {
  const issuer = providers.issuerOf(found);
  return {
    issuer,
    jwks_uri: `${issuer}/.well-known/keys`,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    id_token_signing_alg_values_supported: ALGORITHMS,
    response_types_supported: ["code"],
    scopes_supported: [OPENID, ...found.scopesSupported],
    claims_supported: [],
    subject_types_supported: ["public"],
    grant_types_supported: ["authorization_code"],
    token_endpoint_auth_methods_supported: ["none", "client_secret_basic", "client_secret_post"],
    code_challenge_methods_supported: ["S256", "plain"],
  };
}

function authorized(provider: OidcProvider, { params, values, caller }: ApiRequest<typeof AUTHORIZE>): ApiAnswer {
  const found = provider.providers.get(params["name"]!);
  if (found === undefined) return { raw: { errors: [] }, status: 404 };
  const state = values.state === undefined ? {} : { state: values.state };
  try {
    const code = provider.authorization.authorize(caller, found, requestOf(values));
    return { raw: { code, ...state }, headers: NOT_STORED };
  } catch (thrown) {
    return refusal(thrown, state);
  }
}

function requestOf(values: Values<typeof AUTHORIZE>) {
  const { max_age } = values;
  if (max_age && !/^[0-9]{1,9}$/.test(max_age)) throw oauthError("invalid_request", "invalid max_age");
  const named: Record<string, string | undefined> = {
    scope: values.scope,
    responseType: values.response_type,
    clientId: values.client_id,
    redirectUri: values.redirect_uri,
    state: values.state,
    nonce: values.nonce,
    codeChallenge: values.code_challenge,
    codeChallengeMethod: values.code_challenge_method,
    request: values.request,
    requestUri: values.request_uri,
  };
  const given = Object.fromEntries(Object.entries(named).filter(([, value]) => value)) as Record<string, string>;
  return { ...given, ...(max_age ? { maxAge: Number(max_age) } : {}) };
}

async function exchanged(
  provider: OidcProvider,
  { params, values, headers }: ApiRequest<typeof EXCHANGE>,
): Promise<ApiAnswer> {
  const found = provider.providers.get(params["name"]!);
  if (found === undefined) return { raw: { errors: [] }, status: 404 };
  try {
    const { accessToken, idToken, expiresIn } = await provider.exchange.exchange(
      found,
      credentialsOf(values, headers),
      {
        ...(values.grant_type === undefined ? {} : { grantType: values.grant_type }),
        ...(values.code === undefined ? {} : { code: values.code }),
        ...(values.redirect_uri === undefined ? {} : { redirectUri: values.redirect_uri }),
        ...(values.code_verifier === undefined ? {} : { codeVerifier: values.code_verifier }),
      },
    );
    return {
      raw: { access_token: accessToken, id_token: idToken, token_type: "Bearer", expires_in: expiresIn },
      headers: NOT_STORED,
    };
  } catch (thrown) {
    return refusal(thrown);
  }
}

/** Who the client says it is, in one way only (RFC 6749 §2.3); undefined: it doesn't say. */
function credentialsOf(values: Values<typeof EXCHANGE>, headers: Headers): ClientCredentials | undefined {
  const header = headers.get("authorization");
  if (header === null || !/^basic /i.test(header)) {
    return values.client_id ? { clientId: values.client_id, secret: values.client_secret } : undefined;
  }
  if (values.client_secret !== undefined) {
    throw oauthError("invalid_request", "the client must authenticate in one way only");
  }
  const credentials = basicCredentials(header.slice("basic ".length).trim());
  if (credentials === undefined || !values.client_id || values.client_id === credentials.clientId) return credentials;
  throw oauthError("invalid_request", "client_id differs from the one in the Authorization header");
}

/** RFC 6749 §2.3.1: both parts are form-encoded before they are joined. */
function basicCredentials(encoded: string): ClientCredentials | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon === -1) return undefined;
  try {
    return { clientId: formDecoded(text.slice(0, colon)), secret: formDecoded(text.slice(colon + 1)) };
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function formDecoded(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}

function userInfo(provider: OidcProvider, { params, headers }: ApiRequest): ApiAnswer {
  const found = provider.providers.get(params["name"]!);
  if (found === undefined) return { raw: { errors: [] }, status: 404 };
  const token = /^bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "";
  try {
    return { raw: provider.userInfo.of(found, token), headers: NOT_STORED };
  } catch (thrown) {
    return refusal(thrown);
  }
}

/** RFC 6749 §5.2 and RFC 6750 §3: who isn't known is asked to say who they are. */
const CHALLENGES: Partial<Record<OAuthErrorCode, string>> = {
  invalid_client: 'Basic realm="runevault"',
  invalid_token: 'Bearer error="invalid_token"',
};

function refusal(thrown: unknown, more: Readonly<Record<string, string>> = {}): RawAnswer {
  const code = oauthCodeOf(thrown);
  if (code === undefined) throw thrown;
  const challenge = CHALLENGES[code];
  return {
    raw: { error: code, error_description: (thrown as Error).message, ...more },
    status: challenge === undefined ? 400 : 401,
    headers: { ...NOT_STORED, ...(challenge === undefined ? {} : { "www-authenticate": challenge }) },
  };
}
