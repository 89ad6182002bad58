import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { DEFAULT_POLICY, RESPONSE_WRAPPING_POLICY } from "./default_policies.ts";
import { CAPABILITIES, parsePolicy, type Stanza } from "./policy.ts";

const { create, read, update, patch, list, sudo, deny } = CAPABILITIES;

function only(text: string): Stanza {
  const { stanzas } = parsePolicy(text);
  equal(stanzas.length, 1, text);
  return stanzas[0]!;
}

function stanza(body: string): Stanza {
  return only(`path "a" { ${body} }`);
}

Deno.test("parsePolicy() reads capabilities, and of deny beside others only deny", () => {
  equal(stanza(`capabilities = ["read", "list", "sudo"]`).capabilities, read | list | sudo);
  equal(stanza(`capabilities = ["read", "deny", "update"]`).capabilities, deny);
  equal(stanza("").capabilities, 0);
  equal(stanza(`capabilities = ["scan", "subscribe", "recover"]`).capabilities, 0, "nothing here asks for them");
});

Deno.test("parsePolicy() reads the old word for a group of capabilities", () => {
  const everything = create | read | update | patch | CAPABILITIES.delete | list;
  equal(stanza(`policy = "read"`).capabilities, read | list);
  equal(stanza(`policy = "write"`).capabilities, everything);
  equal(stanza(`policy = "sudo"`).capabilities, everything | sudo);
  equal(stanza(`policy = "deny"`).capabilities, deny);
  equal(stanza(`policy = "write" \n capabilities = ["deny"]`).capabilities, deny);
  throws(
    () => stanza(`policy = "admin"`),
    refused("invalid_argument", /^failed to parse policy: line 1: invalid policy/),
  );
  throws(() => stanza(`policy = ["read"]`), refused("invalid_argument", /invalid policy/));
});

Deno.test("parsePolicy() takes the slash from the beginning of a path, and nothing else", () => {
  deepEqual(parsePolicy(`path "/a" {}\npath "v1/b" {}\npath "c/" {}`).stanzas.map(({ path }) => path), [
    "a",
    "v1/b",
    "c/",
  ]);
});

Deno.test("parsePolicy() keeps each of several stanzas for one path, with its line", () => {
  const { stanzas } = parsePolicy(`path "a" {}\n\npath "a" { capabilities = ["read"] }`);
  deepEqual(stanzas.map(({ path, line }) => [path, line]), [["a", 1], ["a", 3]]);
});

Deno.test("parsePolicy() reads rules about parameters by their names in lower case", () => {
  const { allowed, denied, required } = stanza(
    `allowed_parameters = { "Name" = [], "*" = ["x*", true] }
     denied_parameters { policies = ["admin"] }
     required_parameters = ["TTL"]`,
  );
  deepEqual([...allowed!], [["name", []], ["*", ["x*", true]]]);
  deepEqual([...denied!], [["policies", ["admin"]]]);
  deepEqual(required, ["ttl"]);
  deepEqual([stanza("").allowed, stanza("").denied, stanza("").required], [null, null, []]);
});

Deno.test("parsePolicy() reads wrapping TTLs as numbers of seconds and as durations", () => {
  const times = (text: string) => stanza(`max_wrapping_ttl = ${text}`).maxWrappingTtl;
  deepEqual([times("90"), times('"90"'), times('"90s"'), times('"2m"'), times('"3h"'), times('"1d"')], [
    90,
    90,
    90,
    120,
    10_800,
    86_400,
  ]);
  equal(stanza("").maxWrappingTtl, null);
  for (const bad of ['"-1s"', "-1", "1.5", '"1.5h"', '"soon"', "true", '["1s"]', '"1s "']) {
    throws(() => times(bad), refused("invalid_argument", /must be a duration/), bad);
  }
  throws(() => stanza(`min_wrapping_ttl = "2m"\nmax_wrapping_ttl = "1m"`), refused("invalid_argument", /is less than/));
  stanza(`min_wrapping_ttl = "1m"\nmax_wrapping_ttl = "60s"`);
});

Deno.test("parsePolicy() refuses what it doesn't know, naming the line, and ignores nothing that would restrict", () => {
  const bad: readonly (readonly [text: string, message: RegExp])[] = [
    [`paths "a" {}`, /line 1: invalid key "paths"/],
    [`\npath "a" {\n capability = ["read"]\n}`, /line 3: invalid key "capability"/],
    [`path "a" { mfa_methods = ["x"] }`, /"mfa_methods" is not supported, and what it restricts would be open/],
    [`path "a" { control_group {} }`, /"control_group" is not supported/],
    [`path "a" { capabilities = ["fly"] }`, /invalid capability "fly"/],
    [`path "a" { capabilities = ["Read"] }`, /invalid capability "Read"/],
    [`path "a" { capabilities = ["constructor"] }`, /invalid capability/],
    [`path "a" { capabilities = "read" }`, /"capabilities" must be a list of text/],
    [`path "a" { capabilities = [1] }`, /must be a list of text/],
    [`path "a" { required_parameters = "x" }`, /must be a list of text/],
    [`path "a" { allowed_parameters = ["x"] }`, /"allowed_parameters" must be an object/],
    [`path "a" { denied_parameters = { "x" = "y" } }`, /"x" must be a list/],
    [`path "a" { capabilities "x" = ["read"] }`, /unexpected label/],
    [`path "a" "b" {}`, /one path/],
    [`path = "a"`, /one path/],
    [`path "a" = ["read"]`, /a path needs a block/],
    [`path "a/+*" {}`, /'\+\*', which is forbidden/],
    [`path "a/+*/b" {}`, /'\+\*', which is forbidden/],
    [`path "a/{{identity.entity.id" {}`, /unbalanced template braces/],
    [`path "a/identity.entity.id}}" {}`, /unbalanced template braces/],
    [`path "a/{{b{{c}}" {}`, /unbalanced template braces/],
    [`path "a" {`, /a block isn't closed at line 1, column 11/],
    [`{"path":{"a":{"capabilities":["fly"]}}}`, /invalid capability "fly"/],
    [`{"path":"a"}`, /one path/],
    [`{"paths":{}}`, /invalid key "paths"/],
  ];
  for (const [text, message] of bad) {
    throws(() => parsePolicy(text), refused("invalid_argument", message), text);
    throws(() => parsePolicy(text), refused("invalid_argument", /^failed to parse policy: /), text);
  }
});

Deno.test("parsePolicy() takes blank texts, empty stanzas, comments and a name", () => {
  for (const text of ["", " \n\t", "# nothing", `name = "n"`, `{}`, `{"name":"n"}`]) {
    deepEqual(parsePolicy(text).stanzas, [], JSON.stringify(text));
  }
  equal(only(`path "x" {}`).capabilities, 0);
  equal(only(`path "x" { comment = "why" }`).capabilities, 0);
});

Deno.test("parsePolicy() says the same of HCL and of JSON", () => {
  const hcl = parsePolicy(
    `path "a/{{identity.entity.id}}/*" { capabilities = ["read"] allowed_parameters = { "x" = [true, "y*"] } }`,
  );
  const json = parsePolicy(
    `{"path":{"a/{{identity.entity.id}}/*":{"capabilities":["read"],"allowed_parameters":{"x":[true,"y*"]}}}}`,
  );
  deepEqual(json, hcl);
});

Deno.test("parsePolicy() warns of directives that never have a value, and of no other", () => {
  const warningsOf = (name: string) => parsePolicy(`path "a/{{${name}}}" {}`).warnings;
  deepEqual(warningsOf("identity.entity.alias.id"), [
    "line 1: {{identity.entity.alias.id}} is no template parameter, so this path will never apply",
  ]);
  const unknown = ["", "entity.id", "identity.entity", "identity.groups.names", "identity.entity.policies", "time.now"];
  for (const name of unknown) equal(warningsOf(name).length, 1, name);
  for (
    const name of [
      "identity.entity.id",
      " identity.entity.name ",
      "identity.entity.metadata.team",
      "identity.entity.metadata.a.b",
      "identity.entity.aliases.userpass_auth.name",
      "identity.entity.aliases.auth_userpass_1a2b3c4d.metadata.x",
      "identity.entity.aliases.userpass_auth.custom_metadata.x",
      "identity.groups.ids.4d1d.name",
      "identity.groups.names.a.b.metadata.c",
    ]
  ) deepEqual(warningsOf(name), [], name);
});

Deno.test("parsePolicy() warns of paths that can't be meant as they stand", () => {
  const warningsOf = (path: string) => parsePolicy(`\npath "${path}" { capabilities = ["read"] }`).warnings;
  deepEqual(warningsOf("v1/sys/mounts"), ["line 2: paths are written without v1/, so this path will never apply"]);
  deepEqual(warningsOf("/v1/sys/mounts").length, 1);
  deepEqual(warningsOf("a/*/b"), ["line 2: '*' stands for itself but at a path's end; '+' is any one segment"]);
  for (const path of ["*", "a/*", "a/+/b", "a/+/*", "v1", "a/v1/b"]) deepEqual(warningsOf(path), [], path);
});

Deno.test("parsePolicy() refuses texts and counts past its limits", () => {
  const text = `# ${"x".repeat(131_070)}`;
  equal(parsePolicy(text).stanzas.length, 0);
  throws(() => parsePolicy(`${text}x`), refused("invalid_argument", /longer than 131072 characters/));
  equal(parsePolicy(`path "a" {}\n`.repeat(2000)).stanzas.length, 2000);
  throws(() => parsePolicy(`path "a" {}\n`.repeat(2001)), refused("invalid_argument", /more than 2000 paths/));
});

Deno.test("parsePolicy() quotes no more of a long name than a log line bears", () => {
  throws(() => parsePolicy(`${"k".repeat(100_000)} = 1`), ({ message }: Error) => message.length < 200);
});

Deno.test("the policies that every vault has are policies without warnings, and give no way to more", () => {
  for (const text of [DEFAULT_POLICY, RESPONSE_WRAPPING_POLICY]) {
    const { stanzas, warnings } = parsePolicy(text);
    deepEqual(warnings, []);
    for (const { path, capabilities } of stanzas) {
      equal(capabilities & (sudo | deny), 0, path);
      ok(!/^(auth\/token\/create|sys\/leases\/revoke|identity\/oidc\/token|sys\/polic)/.test(path), path);
    }
  }
});

for (
  const text of [
    `path "a"\n{\n  capabilities = ["read"]\n}`,
    `path "a" { capabilities =\n ["read"] }`,
    `path "a" # why\n{}`,
  ]
) {
  Deno.test(`HCL 1 lets a line end before a brace and after an equals sign: ${JSON.stringify(text)}`, () => {
    equal(parsePolicy(text).stanzas.length, 1);
  });
}

Deno.test("a problem in JSON is named with its line", () => {
  for (const text of [`{\n"path":{\n"a":{"capabilities":["fly"]}}}`, `{\n"path":{\n"a":{,}}}`]) {
    throws(() => parsePolicy(text), /line 3/);
  }
});
