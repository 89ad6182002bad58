import { equal, match, throws } from "node:assert/strict";
import { systemRandom } from "../../server/clock.ts";
import { refused } from "../_test_support.ts";
import { parsePasswordPolicy, passwordBy } from "./password_policies.ts";
import { defaultPassword } from "./random_text.ts";

const rule = (charset: string, min = 0) => `rule "charset" {\n  charset = "${charset}"\n  min-chars = ${min}\n}\n`;

Deno.test("passwordBy() makes passwords of the length, of the characters, with as many of each set as are asked for", () => {
  const policy = parsePasswordPolicy(`length = 12\n${rule("abc", 3)}${rule("123", 4)}${rule("-")}`);
  for (let i = 0; i < 200; i++) {
    const password = passwordBy(policy, systemRandom);
    match(password, /^[abc123-]{12}$/);
    equal(password.match(/[abc]/g)!.length >= 3 && password.match(/[123]/g)!.length >= 4, true, password);
  }
});

Deno.test("parsePasswordPolicy() says what is wrong, and lets no quote in", () => {
  const bad: [string, RegExp][] = [
    ["length = 3\n" + rule("abc"), /length must be a whole number from 4 to 100/],
    ["length = 101\n" + rule("abc"), /length must be/],
    ["length = 12", /at least one charset rule/],
    ["length = 4\n" + rule("abc", 5), /more characters are asked for than length/],
    [`length = 12\nrule "words" {}`, /only charset rules are known, at line 2/],
    [`length = 12\nrule "charset" { charset = "" }`, /charset must be printable text/],
    ["length = 12\n" + rule("ab'"), /no quotes/],
    ["length = 12\n" + rule("ab\\\\"), /no quotes and no backslashes/],
    ["colour = 1\nlength = 12\n" + rule("abc"), /unknown key at line 1/],
    ["length = ", /invalid password policy/],
    ["x".repeat(8193), /longer than 8192/],
  ];
  for (const [text, message] of bad) {
    throws(() => parsePasswordPolicy(text), refused("invalid_argument", message), text);
  }
});

Deno.test("defaultPassword() has all four kinds of characters and none that SQL or URLs take for something", () => {
  for (let i = 0; i < 500; i++) {
    match(defaultPassword(systemRandom), /^(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])(?=.*-)[A-Za-z0-9-]{20}$/);
  }
});
