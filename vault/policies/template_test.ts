import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import type { AliasView, IdentityView } from "../identity/view.ts";
import type { GroupRecord } from "../storage/identity_records.ts";
import { type Dropped, renderTemplate, splitTemplate, type TemplateSubject } from "./template.ts";

const ID = "019d0ab0-0100-7054-a9f6-1feff7e54274";
const ACCESSOR = "auth_userpass_1a2b3c4d";

function group(id: string, name: string, metadata: GroupRecord["metadata"] = {}): GroupRecord {
  return {
    id,
    name,
    type: "internal",
    metadata,
    policies: [],
    memberEntityIds: [ID],
    memberGroupIds: [],
    modifyIndex: 1,
    createdAt: 0,
    updatedAt: 0,
  };
}

const ALIAS: AliasView = { id: "alias-1", name: "alice", metadata: { city: "Oslo" }, customMetadata: { desk: "7" } };
const GROUPS = [group("g1", "team"), group("g2", "a.b", { floor: "3", list: ["x"] }), group("g3", "")];

function subjectOf(more: Partial<IdentityView> = {}): TemplateSubject {
  const view: IdentityView = {
    id: ID,
    name: "alice",
    record: { entityId: ID, name: "alice", epoch: 1, disabled: false, createdAt: 0 },
    metadata: {
      team: { value: "red" },
      level: { value: 3 },
      own: { value: "mine", by: ID },
      other: { value: "theirs", by: "somebody-else" },
      empty: { value: "" },
      "a.b": { value: "dotted" },
    },
    alias: (accessor) => accessor === ACCESSOR ? ALIAS : undefined,
    groups: () => GROUPS,
    ...more,
  };
  const accessorOf = (name: string) => [ACCESSOR, "userpass_auth"].includes(name) ? ACCESSOR : undefined;
  return { view, accessorOf };
}

function render(text: string, subject: TemplateSubject = subjectOf()): string | Dropped {
  return renderTemplate(splitTemplate(text)!, subject);
}

function isDropped(text: string, subject?: TemplateSubject): boolean {
  return typeof render(text, subject) !== "string";
}

Deno.test("splitTemplate() pairs braces or refuses", () => {
  deepEqual(splitTemplate("a/b"), ["a/b"]);
  deepEqual(splitTemplate("a/{{ x }}/b{{y}}"), ["a/", "x", "/b", "y", ""]);
  deepEqual(splitTemplate("{a}/b}"), ["{a}/b}"], "single braces are text");
  for (const text of ["{{", "}}", "a{{b", "a}}b", "}}{{", "}}{{a}}", "{{a}}}}", "{{a{{b}}", "{{a}}{{"]) {
    equal(splitTemplate(text), undefined, text);
  }
});

Deno.test("splitTemplate() loses no text that is outside of directives", () => {
  fc.assert(fc.property(fc.array(fc.stringMatching(/^[a-z/*+.]{0,4}$/), { minLength: 1, maxLength: 7 }), (parts) => {
    const odd = parts.length % 2 === 1 ? parts : [...parts, ""];
    const text = odd.map((part, i) => i % 2 === 0 ? part : `{{${part}}}`).join("");
    deepEqual(splitTemplate(text), odd);
  }));
});

Deno.test("every directive gives what it names", () => {
  const rows: readonly (readonly [directive: string, value: string])[] = [
    ["identity.entity.id", ID],
    ["identity.entity.name", "alice"],
    ["identity.entity.metadata.team", "red"],
    ["identity.entity.metadata.other", "theirs"],
    ["identity.entity.metadata.level", "3"],
    ["identity.entity.metadata.a.b", "dotted"],
    [`identity.entity.aliases.${ACCESSOR}.id`, "alias-1"],
    ["identity.entity.aliases.userpass_auth.name", "alice"],
    ["identity.entity.aliases.userpass_auth.metadata.city", "Oslo"],
    ["identity.entity.aliases.userpass_auth.custom_metadata.desk", "7"],
    ["identity.groups.ids.g1.name", "team"],
    ["identity.groups.names.team.id", "g1"],
    ["identity.groups.names.a.b.metadata.floor", "3"],
    ["identity.groups.ids.g2.metadata.floor", "3"],
  ];
  for (const [directive, value] of rows) equal(render(`x/{{${directive}}}/*`), `x/${value}/*`, directive);
  equal(render("{{identity.entity.name}}-{{identity.entity.metadata.team}}"), "alice-red");
});

Deno.test("a stanza whose directive has no value is dropped", () => {
  for (
    const directive of [
      "identity.entity.metadata.nothing",
      "identity.entity.metadata.empty",
      "identity.entity.metadata.constructor",
      "identity.entity.metadata.__proto__",
      "identity.entity.alias.id",
      "identity.entity.aliases.nowhere.name",
      "identity.entity.aliases.userpass_auth",
      "identity.entity.aliases.userpass_auth.canonical_id",
      "identity.entity.aliases.userpass_auth.metadata.nothing",
      "identity.entity.aliases.userpass_auth.metadata.constructor",
      "identity.entity.aliases.userpass_auth.custom_metadata.city",
      "identity.groups.names",
      "identity.groups.names.strangers.id",
      "identity.groups.names.team.metadata.nothing",
      "identity.groups.names.team.metadata.constructor",
      "identity.groups.names.team.name",
      "identity.groups.ids.g1.id",
      "identity.groups.ids.team.name",
      "identity.groups.ids.g3.name",
      "identity",
      "",
    ]
  ) deepEqual(render(`x/{{${directive}}}/*`), { dropped: `{{${directive}}} has no value` }, directive);
});

Deno.test("a token without an entity has no directive, and keeps the plain paths", () => {
  const nobody = { view: null, accessorOf: () => ACCESSOR };
  equal(isDropped("x/{{identity.entity.id}}", nobody), true);
  equal(render("x/y", nobody), "x/y");
});

Deno.test("S12: a key that the entity set itself counts as missing; one that another set doesn't", () => {
  equal(isDropped("x/{{identity.entity.metadata.own}}"), true);
  equal(render("x/{{identity.entity.metadata.other}}"), "x/theirs");
  const taken = subjectOf({ metadata: { own: { value: "mine" } } });
  equal(render("x/{{identity.entity.metadata.own}}", taken), "x/mine", "an administrator took it over");
});

Deno.test("S12: a value with a slash or a wildcard drops the stanza, wherever it comes from", () => {
  for (const value of ["a/b", "/", "*", "a*", "+", "a+b", "red/*"]) {
    const alias = () => ({ ...ALIAS, name: value, metadata: { x: value }, customMetadata: { x: value } });
    const subject = subjectOf({
      name: value,
      metadata: { team: { value } },
      alias,
      groups: () => [group("g1", value), group("g2", "team", { x: value })],
    });
    for (
      const directive of [
        "identity.entity.name",
        "identity.entity.metadata.team",
        "identity.entity.aliases.userpass_auth.name",
        "identity.entity.aliases.userpass_auth.metadata.x",
        "identity.entity.aliases.userpass_auth.custom_metadata.x",
        "identity.groups.ids.g1.name",
        "identity.groups.names.team.metadata.x",
      ]
    ) {
      const dropped = { dropped: `the value of {{${directive}}} has a slash or a wildcard` };
      deepEqual(render(`x/{{${directive}}}`, subject), dropped, `${directive} ${value}`);
    }
  }
});

Deno.test("S12: a value that looks like a directive is text", () => {
  const subject = subjectOf({ name: "{{identity.entity.id}}" });
  equal(render("x/{{identity.entity.name}}", subject), "x/{{identity.entity.id}}");
});

Deno.test("S12: no value, whatever it is, adds a segment or a wildcard to a path", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 12 }), (value) => {
    const path = render("x/{{identity.entity.metadata.team}}/y", subjectOf({ metadata: { team: { value } } }));
    if (typeof path !== "string") return;
    deepEqual([path.split("/").length, /[*+]/.test(path), path], [3, false, `x/${value}/y`]);
  }));
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const metadata = { team: { value: value as never } };
    const path = render("x/{{identity.entity.metadata.team}}", subjectOf({ metadata }));
    if (typeof path === "string") equal(path.split("/").length, 2);
  }));
});
