import { equal, ok } from "node:assert/strict";
import { parseDocument } from "yaml";
import { yamlProblem } from "./yaml_problem.ts";

const SECRET = "evt_00112233445566778899aabbccddeeff";

Deno.test("yamlProblem quotes nothing of the text, whatever is wrong with it", () => {
  const texts = [
    `!${SECRET}! a`,
    `!<${SECRET} a`,
    `!${SECRET}!x a`,
    `%${SECRET}\n--- a`,
    `%TAG ${SECRET}\n--- a`,
    `%YAML ${SECRET}\n--- a`,
    `"\\U${SECRET}"`,
    `"\\x${SECRET}"`,
    `*${SECRET}`,
    `a: |${SECRET}`,
    `a: ${SECRET}: b`,
    `[${SECRET}`,
    `a: 'b' ${SECRET}`,
    `"\\${SECRET}"`,
  ];
  let problems = 0;
  for (const text of texts) {
    for (const error of parseDocument(text, { prettyErrors: false }).errors) {
      problems++;
      const said = yamlProblem(error);
      ok(said !== "" && said.length < 200, said);
      for (let at = 0; at + 4 <= SECRET.length; at++) ok(!said.includes(SECRET.slice(at, at + 4)), `${text}: ${said}`);
    }
  }
  ok(problems >= 10, `${problems} problems`);
  equal(yamlProblem(parseDocument(`${"!".repeat(1500)}`, { prettyErrors: false }).errors[0]!).length < 200, true);
});
