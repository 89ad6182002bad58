import { equal, match, throws } from "node:assert/strict";
import { systemRandom } from "../../server/clock.ts";
import { refused } from "../_test_support.ts";
import { assertAccountName, assertFits, parseUsernameTemplate } from "./username_template.ts";

const SOURCES = { random: systemRandom, clock: { now: () => Date.UTC(2030, 0, 2, 3, 4, 5), monotonic: () => 0 } };
const FIELDS = { DisplayName: "userpass-alice", RoleName: "app-users", UserName: "alice" };

function rendered(template: string, fields = FIELDS): string {
  return parseUsernameTemplate(template).render(fields, SOURCES);
}

Deno.test("username templates: every function does what operators know it to do", () => {
  const cases: [string, string | RegExp][] = [
    ["plain", "plain"],
    ["{{.DisplayName}}-{{ .RoleName }}", "userpass-alice-app-users"],
    ['{{ printf "v-%s-%v%%" .UserName 7 }}', "v-alice-7%"],
    ["{{ .DisplayName | truncate 4 | uppercase }}", "USER"],
    ["{{ lowercase `ABC` }}", "abc"],
    ['{{ .UserName | replace "a" "b" }}', "blice"],
    ["{{ truncate_sha256 10 `abcdefghijklmnop` }}", "abf39dac6c"],
    ["{{ sha256 `abc` | truncate 8 }}", "ba7816bf"],
    ["{{ base64 `abc` }}{{ decode_base64 `YWJj` }}", "YWJjabc"],
    ["{{ hex `abc` }}{{ decode_hex `616263` }}", "616263abc"],
    ["{{ unix_time }} {{ unix_time_millis }}", "1893553445 1893553445000"],
    ['{{ timestamp "2006-01-02T15:04:05" }}', "2030-01-02T03:04:05"],
    ["{{ random 20 }}", /^[0-9A-Za-z]{20}$/],
    ["{{ uuid }}", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/],
    ['{{ printf "%s" (printf "%s" (.UserName | truncate 2)) }}', "al"],
  ];
  for (const [template, expected] of cases) {
    const text = rendered(template);
    if (typeof expected === "string") equal(text, expected, template);
    else match(text, expected);
  }
});

Deno.test("username templates: what can't be read is refused when it is written", () => {
  const bad: [string, RegExp][] = [
    ["{{", /unclosed action/],
    ["}}", /unexpected }}/],
    ["{{ }}", /unexpected character/],
    ["{{ nothing }}", /function "nothing" not defined/],
    ["{{ constructor }}", /function "constructor" not defined/],
    ["{{ .Secret }}", /no field Secret/],
    ["{{ truncate 4 }}", /wrong number of args for truncate: want 2 got 1/],
    ["{{ (random 3 }}", /unclosed \(/],
    ["{{ random 3 ) }}", /unexpected \)/],
    ["{{ `a` | `b` }}", /a function is missing/],
    ["{{ ; }}", /unexpected character/],
    ["x".repeat(2049), /longer than 2048/],
  ];
  for (const [text, message] of bad) {
    throws(() => parseUsernameTemplate(text), refused("invalid_argument", message), text);
  }
});

Deno.test("attack: no name of a user or role leaves the quotes of a statement", () => {
  for (const name of [`x'; DROP USER root; --`, 'a"b', "a`b", "a\\b", "a\0b", "ü€", "' OR ''='"]) {
    const text = rendered("{{.DisplayName}}{{.RoleName}}{{.UserName}}", {
      DisplayName: name,
      RoleName: name,
      UserName: name,
    });
    match(text, /^[A-Za-z0-9_.-]+$/);
  }
});

Deno.test("account names: nothing, quotes, and more than the server takes are refused", () => {
  for (const name of ["", "a'b", 'a"b', "a b", "a;b", "é", "x".repeat(33)]) {
    throws(() => assertAccountName(name, 32), refused("invalid_argument"), name);
  }
  assertAccountName("v-alice.b_c@d+e-0", 32);
  for (const template of ["{{ truncate 1 `` }}", "{{ decode_hex `27` }}", "{{ random 33 }}"]) {
    throws(() => assertFits(parseUsernameTemplate(template), 32), refused("invalid_argument"), template);
  }
});
