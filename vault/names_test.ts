import assert from "node:assert/strict";
import { refused } from "./_test_support.ts";
import { assertName, isName, quoteName } from "./names.ts";

const GOOD = ["a", "Z", "0", "alice", "alice@example.org", "a.b_c-d", "7up", "a".repeat(64)];

const BAD = [
  "",
  " ",
  ".a",
  "..",
  "../../etc/passwd",
  "a/b",
  "a\\b",
  "-flag",
  "_a",
  "@a",
  "a b",
  "a\nb",
  "a\n",
  "\na",
  "a\0",
  "a\u0085",
  "é",
  "ａlice",
  "a\u200b",
  "a:b",
  "a,b",
  "a".repeat(65),
  "a".repeat(1_000_000),
];

Deno.test("assertName() takes the names that users and roles may have", () => {
  for (const name of GOOD) {
    assertName("user", name);
    assert.ok(isName(name));
  }
});

Deno.test("assertName() refuses every other one, in a message of a bearable length without control characters", () => {
  for (const name of BAD) {
    assert.equal(isName(name), false, JSON.stringify(name.slice(0, 20)));
    assert.throws(() => assertName("role", name), (error: unknown) => {
      assert.ok(refused("invalid_argument", /^Invalid role name "/)(error));
      const { message } = error as Error;
      // deno-lint-ignore no-control-regex -- control characters are what it looks for
      return message.length < 600 && !/[\u0000-\u001f]/.test(message);
    });
  }
});

Deno.test("quoteName() does not show a token that came in a name's place", () => {
  const token = "evt_00112233445566778899aabbccddeeff";
  assert.equal(quoteName(token), '"evt_…"');
  assert.equal(quoteName(`user ${token.toUpperCase()}!`), '"user evt_…!"');
  assert.doesNotMatch(quoteName(`${"x".repeat(70)}${token}`), /00112233/);
  assert.doesNotMatch(quoteName(`${"x".repeat(990)}${token}`), /00112233/);
  assert.equal(quoteName("evt_dev"), '"evt_dev"', "a name may begin so");
});

Deno.test("quoteName() cuts long names and escapes what could break a log line", () => {
  assert.equal(quoteName('a"b\n'), '"a\\"b\\n"');
  assert.equal(quoteName("x".repeat(1_000_000)), `"${"x".repeat(80)}…"`);
});
