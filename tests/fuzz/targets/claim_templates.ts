/**
 * Templates of identity tokens, rendered for an entity that says of itself what it can.
 *
 * @module
 */

import fc from "fast-check";
import { checkedTemplate, templateClaims } from "../../../vault/oidc/claims.ts";
import type { ClaimSubject } from "../../../vault/oidc/template.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

interface Input {
  readonly template: string;
  readonly value: string;
}

const DIRECTIVES = [
  "identity.entity.id",
  "identity.entity.name",
  "identity.entity.metadata",
  "identity.entity.metadata.x",
  "identity.entity.groups.names",
  "identity.entity.aliases.userpass_auth.name",
  "time.now",
  "time.now.plus.1h",
];
const directive = fc.constantFrom(...DIRECTIVES).map((name) => `{{${name}}}`);
const member = fc.oneof(
  fc.tuple(fc.constantFrom("a", "b", "sub", "ep"), directive).map(([key, value]) => `"${key}": ${value}`),
  fc.tuple(fc.constantFrom("c", "d"), directive).map(([key, value]) => `"${key}": "user-${value}"`),
  directive.map((name) => `${name}: {"nested": {"deep": 1}}`),
);
const valid = fc.array(member, { maxLength: 4 }).map((members) => `{${members.join(", ")}}`);
const PIECES = [...AWKWARD_TEXT, "{{", "}}", "{{identity.entity.name}}", '"', '\\"', ":", ",", "{", "}", '"sub":'];
const template = fc.oneof(
  { weight: 100, arbitrary: mutatedText(valid, PIECES) },
  { weight: 20, arbitrary: anyText() },
  { weight: 1, arbitrary: bulkText(65_536, ["{", "{{", '"', "{{time.now}}", '{"a":', "}}", "[", "\\"]) },
);
const value = fc.oneof(anyText(30), fc.constantFrom('"}', '","sub":"root', "{{identity.entity.id}}", "\\", '\\"'));

/** Templates. */
export const target: FuzzTarget = syncTarget("claim_templates", "json", fc.record({ template, value }), check);

const OURS = [
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

function check({ template, value }: Input): void {
  const parsed = parseOrRefuse(["invalid_argument"], () => checkedTemplate(template));
  if (parsed === undefined) return;
  const subject = subjectOf(value);
  // A value may make the text no JSON any more only where it stands for a key; then no token is made at all.
  const claims = parseOrRefuse(["internal"], () => templateClaims(parsed, subject));
  if (claims === undefined) return;
  must(Object.keys(claims).every((name) => !OURS.includes(name)), `it sets ${Object.keys(claims)}`);
  const plain = parseOrRefuse(["internal"], () => templateClaims(parsed, subjectOf("plain")));
  must(plain === undefined || Object.keys(claims).length <= Object.keys(plain).length + 1, "a value added members");
}

function subjectOf(value: string): ClaimSubject {
  const alias = { id: "alias", name: value, metadata: {}, customMetadata: { k: value } };
  return {
    view: {
      id: "0190",
      name: value,
      record: { entityId: "0190", name: value, epoch: 1, disabled: false, createdAt: 0 },
      metadata: { x: { value } },
      alias: () => alias,
      groups: () => [],
    },
    now: 1,
    selfAsserted: [],
    accessorOf: (name) => name,
  };
}
