import { deepEqual, equal, throws } from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { filled, statementsOf } from "./statements.ts";

Deno.test("statementsOf() splits at semicolons, but at none inside quotes, dollar quotes and comments", () => {
  const cases: [string, string[]][] = [
    ["SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]],
    ["SELECT ';' ; SELECT \";\", `;`", ["SELECT ';'", 'SELECT ";", `;`']],
    ["SELECT 'it''s; one'", ["SELECT 'it''s; one'"]],
    ["DO $$ BEGIN a; b; end $$; SELECT 1", ["DO $$ BEGIN a; b; end $$", "SELECT 1"]],
    ["DO $fn$ a; $$ b; $$ $fn$", ["DO $fn$ a; $$ b; $$ $fn$"]],
    ["SELECT 1 -- a; b\n; SELECT /* ; */ 2", ["SELECT 1 -- a; b", "SELECT /* ; */ 2"]],
    ["SELECT a$b$c; SELECT 'it\\'s; one'", ["SELECT a$b$c", "SELECT 'it\\'s; one'"]],
    ["SELECT 1; SELECT 'a; b", ["SELECT 1", "SELECT 'a; b"]],
  ];
  for (const [text, statements] of cases) deepEqual(statementsOf([text]), statements);
});

Deno.test("statementsOf() takes JSON lists and base64, and refuses what has no statement in it", () => {
  deepEqual(statementsOf(['["SELECT 1; SELECT 2", "SELECT 3"]']), ["SELECT 1", "SELECT 2", "SELECT 3"]);
  deepEqual(statementsOf([btoa("SELECT 1; SELECT 2")]), ["SELECT 1", "SELECT 2"]);
  deepEqual(statementsOf([btoa('["SELECT 1"]')]), ["SELECT 1"]);
  deepEqual(statementsOf([]), []);
  for (const blank of [[""], [" ; ;\n"], ["", ";"]]) throws(() => statementsOf(blank), refused("invalid_argument"));
  throws(() => statementsOf(["SELECT 1;".repeat(101)]), refused("invalid_argument", /more than 100/));
  throws(() => statementsOf(["x".repeat(65_537)]), refused("invalid_argument", /more than 65536/));
});

Deno.test("filled() puts values in the place of exactly written variables, once", () => {
  const values = { username: "{{password}}", password: "$&secret", expiresAt: Date.UTC(2030, 0, 2, 3, 4, 5) };
  deepEqual(filled(["{{name}} {{username}} {{password}} {{expiration}} {{ name }} {{other}}"], values), [
    "{{password}} {{password}} $&secret 2030-01-02 03:04:10+0000 {{ name }} {{other}}",
  ]);
  equal(filled(["{{password}}"], { username: "a" })[0], "{{password}}");
});
