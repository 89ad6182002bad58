/**
 * The claims of identity tokens: which are ours, which a template may add, which a caller may set.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VaultError } from "../errors.ts";
import type { Json } from "../storage/identity_records.ts";
import { type ClaimSubject, type ClaimTemplate, parseTemplate, renderTemplate } from "./template.ts";

/** Claims that no template may set. */
const RESTRICTED = [
  "iat",
  "aud",
  "exp",
  "iss",
  "sub",
  "namespace",
  "nonce",
  "auth_time",
  "at_hash",
  "c_hash",
  "jti",
  "ep",
  "sid",
];
const MAX_CLAIM_BYTES = 256;

/** An entity that nobody is, to try a template on. */
const DUMMY: ClaimSubject["view"] = {
  id: "00000000-0000-0000-0000-000000000000",
  name: "name",
  record: { entityId: "", name: "name", epoch: 1, disabled: false, createdAt: 0 },
  metadata: {},
  alias: () => undefined,
  groups: () => [],
};

/**
 * Reads a template and tries it on an entity that nobody is.
 *
 * @throws {VaultError} `invalid_argument` where it isn't a JSON object, or sets what it may not.
 */
export function checkedTemplate(text: string): ClaimTemplate {
  const template = parseTemplate(text);
  const subject = { view: DUMMY, now: 0, selfAsserted: [], accessorOf: () => undefined };
  const claims = text.trim() === "" ? {} : parseClaims(renderTemplate(template, subject));
  const bad = Object.keys(claims).find((name) => RESTRICTED.includes(name));
  if (bad === undefined) return template;
  throw new VaultError(
    "invalid_argument",
    `top level key ${JSON.stringify(bad)} not allowed. Restricted keys: ${RESTRICTED.join(", ")}`,
  );
}

/**
 * The claims that a template gives to an entity. A name that the entity made up can't take the place of a claim of ours.
 *
 * @throws {VaultError} `internal` where it doesn't render: a token without its claims would be a silent hazard.
 */
export function templateClaims(template: ClaimTemplate, subject: ClaimSubject): Record<string, Json> {
  const text = renderTemplate(template, subject);
  if (text.trim() === "") return {};
  try {
    const claims = Object.entries(parseClaims(text)).filter(([name]) => !RESTRICTED.includes(name));
    return Object.fromEntries(claims);
  } catch (cause) {
    throw new VaultError("internal", "The role's template could not be rendered for this entity", { cause });
  }
}

/**
 * The claims that a caller sets for one token.
 *
 * @throws {VaultError} `invalid_argument` for a name that the role doesn't list, and for what is no short text.
 */
export function requestedClaims(
  given: Readonly<Record<string, Json>>,
  listed: readonly string[],
): Record<string, string> {
  const claims = Object.entries(given).map(([name, value]): [string, string] => {
    if (!listed.includes(name)) {
      throw new VaultError(
        "invalid_argument",
        `the role doesn't let callers set the claim ${JSON.stringify(name.slice(0, 80))}`,
        {
          hint: "list it in the role's request_claims",
        },
      );
    }
    if (typeof value !== "string" || Buffer.byteLength(value) > MAX_CLAIM_BYTES) {
      throw new VaultError(
        "invalid_argument",
        `the claim ${JSON.stringify(name)} must be text of ${MAX_CLAIM_BYTES} bytes at most`,
      );
    }
    return [name, value];
  });
  return Object.fromEntries(claims);
}

/**
 * Checks the names of claims that callers may set.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function checkedRequestClaims(names: readonly string[]): string[] {
  const bad = names.find((name) => name === "__proto__" || name !== "nonce" && RESTRICTED.includes(name));
  if (bad === undefined) return [...new Set(names)];
  throw new VaultError("invalid_argument", `request_claims may not list ${JSON.stringify(bad)}`);
}

function parseClaims(text: string): Record<string, Json> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new VaultError("invalid_argument", "error parsing template JSON: the rendered template is not valid JSON", {
      cause,
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, Json>;
  throw new VaultError("invalid_argument", "error parsing template JSON: the template must be a JSON object");
}
