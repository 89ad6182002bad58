import { deepEqual, equal, ok } from "node:assert/strict";
import { errorText, facts, table } from "./format.ts";
import { forTerminal, wantsColors } from "./terminal.ts";

const plain = (width: number) => ({ width, hasColors: false });
const colored = { width: 100, hasColors: true };
const TABLE = table(["USER", "ENTITY", "ROLE"], [
  ["alice", "01a20dd6-dd47-7c9c-92ea-d48063f24468", "member"],
  ["bob", "01a20dd6-dd47-7c9c-92ea-d48063f24469", "a role whose name is rather long"],
]);

Deno.test("a table that fits stays as it is; a wider one is cut in its widest columns", () => {
  equal(forTerminal(TABLE, plain(100)), TABLE);
  deepEqual(forTerminal(TABLE, plain(50)).split("\n"), [
    "USER   ENTITY                ROLE",
    "alice  01a20dd6-dd47-7c9c-…  member",
    "bob    01a20dd6-dd47-7c9c-…  a role whose name is…",
    "",
  ]);
  for (const width of [30, 40, 60, 79]) {
    for (const line of forTerminal(TABLE, plain(width)).split("\n")) ok(line.length <= width, `${width}: ${line}`);
  }
});

Deno.test("a terminal that is too narrow for any table shows the narrowest", () => {
  const lines = forTerminal(TABLE, plain(5)).split("\n");
  equal(lines[1], "alice  01a20dd…  member");
});

Deno.test("headings, labels and what errors begin with have colours; values have none", () => {
  equal(forTerminal(TABLE, colored).split("\n")[0], "\x1b[1mUSER   ENTITY                                ROLE\x1b[0m");
  equal(forTerminal(facts([["Role", "member"]]), colored), "\x1b[1mRole:\x1b[0m  member\n");
  equal(
    forTerminal(errorText({ message: 'No user "x"', hint: "see it" }), colored),
    '\x1b[1;31mrunevault:\x1b[0m No user "x"\n\x1b[36mhint:\x1b[0m see it\n',
  );
  equal(forTerminal("Warning: old\n", colored), "\x1b[33mWarning:\x1b[0m old\n");
});

Deno.test("tokens, policies and JSON are shown as they are", () => {
  for (const text of ["evt_ba994a4c2165e5841fb421ccfeb8867b\n", 'path "a" {\n  # TODO: x\n}\n', '{"user":"alice"}\n']) {
    equal(forTerminal(text, colored), text);
  }
});

Deno.test("NO_COLOR that is not empty, and a dumb terminal, mean no colours", () => {
  const env = (variables: Record<string, string>) => (name: string) => variables[name];
  equal(wantsColors(env({})), true);
  equal(wantsColors(env({ NO_COLOR: "" })), true);
  equal(wantsColors(env({ NO_COLOR: "1" })), false);
  equal(wantsColors(env({ TERM: "dumb" })), false);
});
