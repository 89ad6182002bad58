import { deepEqual, doesNotMatch, equal } from "node:assert/strict";
import { VaultError } from "../vault/errors.ts";
import { errorJson, errorText, escapeControls, facts, table } from "./format.ts";

Deno.test("escapeControls() leaves nothing that a terminal acts on, and all else as it is", () => {
  equal(escapeControls("\u001b[2Jalice\r\n\t\u0000"), "\\u001b[2Jalice\\u000d\\u000a\\u0009\\u0000");
  equal(escapeControls("\u009b31m \u007f"), "\\u009b31m \\u007f");
  equal(escapeControls("bob\u202eecila \u2066x\u2069 \u200f"), "bob\\u202eecila \\u2066x\\u2069 \\u200f");
  equal(escapeControls("\ud800 \udc00x"), "\\ud800 \\udc00x");
  equal(escapeControls("Zoë 李 🗝 ~!"), "Zoë 李 🗝 ~!");
});

Deno.test("escapeControls() keeps the value of a JSON text", () => {
  const value = { name: "\u001b\u009b\u202e\u2028 é" };
  deepEqual(JSON.parse(escapeControls(JSON.stringify(value))), value);
});

Deno.test("table() aligns columns and escapes what is in them", () => {
  const text = table(["USER", "ROLE"], [["alice", "member"], ["b\nc", "a"]]);
  equal(text, "USER      ROLE\nalice     member\nb\\u000ac  a\n");
  equal(table(["USER"], []), "USER\n");
});

Deno.test("table() takes more rows than a call takes arguments", () => {
  equal(table(["N"], Array.from({ length: 200_000 }, () => ["1"])).length, 400_002);
});

Deno.test("facts() aligns values, leaves out what is null, and escapes", () => {
  equal(facts([["User", "a\u001b"], ["A longer one", null], ["Role", "member"]]), "User:  a\\u001b\nRole:  member\n");
});

Deno.test("errorText() is the message and then the hint, escaped; errorJson() is one line of JSON", () => {
  const error = new VaultError("not_found", "No user \u001b", { hint: "look\nagain", data: { index: 3 } });
  equal(errorText(error), "runevault: No user \\u001b\nhint: look\\u000aagain\n");
  equal(errorText(new VaultError("internal", "Odd")), "runevault: Odd\n");
  const json = errorJson(error);
  deepEqual(JSON.parse(json), { error: "No user \u001b", kind: "not_found", hint: "look\nagain", data: { index: 3 } });
  doesNotMatch(json.slice(0, -1), /\n/);
});
