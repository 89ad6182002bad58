import { equal } from "node:assert/strict";
import { isAllowedRole } from "./allowed_roles.ts";

Deno.test("isAllowedRole() knows a star anywhere, and cases apart", () => {
  const cases: [string[], string, boolean][] = [
    [["*"], "anything", true],
    [[], "anything", false],
    [["reader"], "reader", true],
    [["reader"], "Reader", false],
    [["chat*"], "chatbot", true],
    [["*users"], "chat-users", true],
    [["*bot*"], "chatbot-users", true],
    [["a*b*c"], "a-b-c", true],
    [["a*b*c"], "a-c-b", false],
    [["ab*ba"], "aba", false],
    [["a", "b*"], "bee", true],
  ];
  for (const [allowed, name, expected] of cases) equal(isAllowedRole(allowed, name), expected, `${allowed} ${name}`);
});
