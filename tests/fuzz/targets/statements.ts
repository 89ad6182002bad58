/**
 * Statements that operators give: taken apart without a piece lost, and filled without a value that breaks out.
 *
 * @module
 */

import fc from "fast-check";
import { filled, splitStatements, statementsOf } from "../../../vault/database/statements.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const VALID = [
  "CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'; GRANT SELECT ON app.* TO '{{name}}'@'%';",
  `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';`,
  "DO $$ BEGIN EXECUTE 'a;b'; END $$; SELECT 1 -- ;\n; /* ; */ SELECT $x$;$x$",
  '["SELECT 1", "SELECT 2; SELECT 3"]',
  btoa("SELECT 'encoded'; SELECT 2"),
];
const PIECES = [
  ...AWKWARD_TEXT,
  ";",
  "$$",
  "$a$",
  "--",
  "/*",
  "*/",
  "''",
  '""',
  "{{name}}",
  "{{password}}",
  "{{ name }}",
];
const text = fc.oneof(
  { weight: 100, arbitrary: mutatedText(fc.constantFrom(...VALID), PIECES) },
  { weight: 20, arbitrary: anyText() },
  { weight: 1, arbitrary: bulkText(100_000, ["'", "\\'", "$a$", "$", "/*", "--", ";", '"', "`", "SELECT 1;"]) },
);

/** Statements. */
export const target: FuzzTarget = syncTarget("statements", "json", text, check);

function check(text: string): void {
  const statements = parseOrRefuse(["invalid_argument"], () => statementsOf([text]));
  const bare = (one: string) => one.replaceAll(/[;\s]/g, "");
  if (text.length < 10_000) must(bare(splitStatements(text).join("")) === bare(text), "a piece is lost");
  if (statements === undefined) return;
  for (const statement of statements) must(statement.trim() !== "", "a blank statement");
  const whole = filled(statements, { username: "{{password}}", password: "{{name}}" }).join("");
  must(!whole.includes("{{username}}"), "a variable was left");
}
