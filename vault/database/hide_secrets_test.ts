import { equal } from "node:assert/strict";
import { hideSecrets } from "./hide_secrets.ts";

const SECRET = "Ab3-it's/p@ss\\word";

Deno.test("hideSecrets() hides a secret as it is, as SQL and URLs write it, and in parts", () => {
  const cases = [
    [`near '${SECRET}' at`, "near '[password]' at"],
    [`near '${SECRET.replaceAll("'", "''")}'`, "near '[password]'"],
    [`url ${encodeURIComponent(SECRET)}!`, "url [password]!"],
    [`cut off: ${SECRET.slice(0, 9)}`, "cut off: [password]"],
    [`the end of it: ${SECRET.slice(-6)}.`, "the end of it: [password]."],
    ["nothing of it", "nothing of it"],
  ] as const;
  for (const [said, told] of cases) equal(hideSecrets(said, [SECRET]), told);
});

Deno.test("hideSecrets() hides short secrets whole, knows no empty ones, and tells at most 500 characters", () => {
  equal(hideSecrets("a pw b", ["pw", ""]), "a [password] b");
  equal(hideSecrets("x".repeat(10_000), [""]).length, 500);
});

Deno.test("hideSecrets() knows a secret whose letters a server made small or large", () => {
  equal(hideSecrets('column "ab-cdefgh1" does not exist', ["Ab-CdEfGh1"]), 'column "[password]" does not exist');
  equal(hideSecrets("İİ: ÄBCDEFG", ["äbcdefG"]), "İİ: [password]", "and nothing is moved by letters that grow");
});
