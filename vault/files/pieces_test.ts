import assert from "node:assert/strict";
import fc from "fast-check";
import { refused } from "../_test_support.ts";
import type { FileName } from "./document.ts";
import { parseFile } from "./parse.ts";
import { cutRows, MAX_PIECE_CHARS } from "./pieces.ts";

const LONG_COMMENT = `# ${"x".repeat(100)}\n`;

function cut(file: FileName, text: string) {
  const { frame, rows } = cutRows(file, "f.yml", text);
  return { frame, rows: rows === null ? null : [...rows] };
}

/** Enough rows to be more than one piece. */
function manyRows(row: (i: number) => string): string {
  let text = "";
  for (let i = 0; text.length <= 1.5 * MAX_PIECE_CHARS; i++) text += row(i);
  return text;
}

/** What a file holds, and on which lines. */
function read(file: FileName, text: string) {
  const { rows, generation, warnings } = parseFile(file, "f.yml", text, "");
  return { rows, generation, warnings };
}

Deno.test("a short text stays whole, however it is written", () => {
  for (const text of ["", "tokens: [{user: a}]", "tokens:\n- a\n- b\n", "x".repeat(MAX_PIECE_CHARS)]) {
    assert.deepEqual(cut("tokens", text), { frame: text, rows: null });
  }
});

Deno.test("the pieces of a long text are its rows, whole, in order, each with its line", () => {
  const rows = manyRows((i) => `  - user: u${i}\n    role: member\n`);
  const text = `# head\ngeneration: 1\ntokens:\n${rows}\nafter: 1\n`;
  const { frame, rows: pieces } = cut("tokens", text);
  assert.equal(pieces!.map((piece) => piece.text).join(""), `${rows}\n`);
  assert.ok(pieces!.length >= 2);
  const lines = text.split("\n");
  for (const { text: piece, line } of pieces!) {
    assert.ok(piece.length <= MAX_PIECE_CHARS && piece.startsWith("  - user:"));
    assert.equal(lines[line - 1], piece.split("\n")[0]);
  }
  assert.equal(frame.split("\n").length, lines.length, "the lines of what stands around keep their numbers");
  assert.equal(frame.split("\n")[lines.length - 2], "after: 1");
});

Deno.test("a long file is read as a short one is: each way of indenting, comments, blank lines, line ends, quoted texts", () => {
  const token = (i: number) => `user: u${i}, token: t${i}, role: member, created: 2026-01-01`;
  const styles: Record<string, (i: number) => string> = {
    "indented": (i) => `  - {${token(i)}}\n`,
    "not indented": (i) => `- {${token(i)}}\n`,
    "deeply indented": (i) =>
      `        - user: u${i}\n          token: t${i}\n          role: member\n          created: 2026-01-01\n`,
    "dash on a line of its own": (i) =>
      `  -\n    user: u${i}\n    token: t${i}\n    role: member\n    created: 2026-01-01\n`,
    "comments and blank lines": (i) => `# no row: - {\n\n  # - user: x\n  - {${token(i)}} # end\n\n`,
    "carriage returns": (i) => `  - user: u${i}\r\n    token: t${i}\r\n    role: member\r\n    created: 2026-01-01\r\n`,
    "texts over lines": (i) =>
      `  - user: "u${i}\n\n      - not a row"\n    token: |\n      t${i}\n      - not a row\n    role: member\n    created: 2026-01-01\n`,
  };
  for (const [style, row] of Object.entries(styles)) {
    const text = `tokens:\n${manyRows(row)}`;
    const { rows } = read("tokens", text);
    const part = read("tokens", text.slice(0, text.indexOf(row(200))));
    assert.deepEqual(rows.slice(0, 200), part.rows.slice(0, 200), style);
    assert.equal(new Set(rows.map((one) => "user" in one && one.user)).size, rows.length, style);
    const last = rows.at(-1)!;
    assert.ok(text.split("\n")[last.line - 1]!.length > 0, style);
  }
});

Deno.test("a long roles file is cut at its names, quoted and announced ones too", () => {
  const fields = "scope: [get_dek], top_k: 1, rate_limit: 1/1s";
  const row = (i: number) =>
    i % 3 === 0
      ? `  r${i}: {${fields}}\n`
      : i % 3 === 1
      ? `  "r:${i}":\n    {${fields}}\n`
      : `  ? r${i}\n  : {${fields}}\n`;
  const text = `roles:\n${manyRows(row)}generation: 4\n`;
  const { rows, generation } = read("roles", text);
  assert.equal(generation, 4);
  assert.deepEqual(rows.slice(0, 3).map((one) => "name" in one && one.name), ["r0", "r:1", "r2"]);
  assert.ok(rows.length > 300);
  // Wherever the cut falls, it does not part a name from what is said of it.
  for (let shift = 0; shift < 8; shift++) {
    const announced = manyRows((i) => `  ? r${i}\n  : {${fields}}\n`);
    const shifted = `roles:\n${"# a line of a comment\n".repeat(shift)}${announced}`;
    assert.equal(read("roles", shifted).rows.length, announced.split("?").length - 1);
  }
});

Deno.test("a long roles file is cut at a name that begins with a colon, and not at the colon after an announced one", () => {
  const fields = "scope: [get_dek], top_k: 1, rate_limit: 1/1s";
  const named = `roles:\n${manyRows((i) => `  :${i}: {${fields}}\n`)}`;
  assert.deepEqual(read("roles", named).rows.slice(0, 2).map((one) => "name" in one && one.name), [":0", ":1"]);
  for (const end of ["\n", "\r\n"]) {
    const announced = manyRows((i) => `  ? :${i}${end}  :${end}    {${fields}}${end}`);
    assert.equal(read("roles", `roles:${end}${announced}`).rows.length, announced.split("?").length - 1);
  }
});

Deno.test("roles in braces over many lines are refused, not cut in the middle", () => {
  const braces = `roles:\n  {r: {},\n${manyRows((i) => `  r${i}: {},\n`)}  }\n`;
  assert.throws(() => read("roles", braces), refused("config_invalid", /line 2: .*belong together/));
});

Deno.test("doubled rows are found across pieces, with their lines", () => {
  const token = (i: number) => `  - {user: u${i}, token: t${i}, role: member}\n`;
  const text = `tokens:\n${manyRows(token)}${token(0).replace("t0", "other")}`;
  const line = text.split("\n").length - 1;
  assert.throws(() => read("tokens", text), refused("config_invalid", /"u0" already stands on line 2/, { line }));
  const roles = `roles:\n${manyRows((i) => `  r${i}: {}\n`)}  r0: {}\n`;
  assert.throws(() => read("roles", roles), refused("config_invalid", /role "r0" already stands on line 2/));
});

Deno.test("an error deep in a long file names its line", () => {
  const good = manyRows((i) => `  - {user: u${i}, token: t${i}, role: member}\n`);
  const line = good.split("\n").length + 1;
  for (
    const bad of [
      "  - {user: [}\n",
      "  - user: x\n",
      "\t- x\n",
      "  - {user: a, token: b, role: c, expires: 2026-02-30}\n",
    ]
  ) {
    assert.throws(
      () => read("tokens", `tokens:\n${good}${bad}`),
      refused("config_invalid", /^f\.yml, line /, { line }),
      bad,
    );
  }
});

Deno.test("a second list of rows, and keys that stand after the first, are not lost", () => {
  const rows = manyRows((i) => `  - {user: u${i}, token: t${i}, role: member}\n`);
  assert.throws(
    () => read("tokens", `tokens:\n${rows}tokens:\n  - {user: x, token: y, role: z}\n`),
    refused("config_invalid", /twice/),
  );
  assert.throws(() => read("tokens", `tokens:\n${rows}---\ntokens: []\n`), refused("config_invalid", /documents/));
  assert.throws(
    () => read("tokens", `generation: 1\ntokens:\n${rows}extra: 1\n`),
    refused("config_invalid", /unknown key/),
  );
});

Deno.test("what is too long and can't be cut is refused, naming the line where it begins", () => {
  const long = "x".repeat(MAX_PIECE_CHARS);
  const cases: [text: string, line: number][] = [
    [`tokens: [${"a, ".repeat(MAX_PIECE_CHARS)}]`, 1],
    [`[${"[".repeat(MAX_PIECE_CHARS)}`, 1],
    [LONG_COMMENT.repeat(1000), 1],
    [`tokens:\n  - user: a\n  - user: ${long}\n`, 3],
    [`tokens:\n${LONG_COMMENT.repeat(1000)}  - user: a\n`, 2],
    [`tokens:\n  [\n${"  {user: a},\n".repeat(9000)}  ]\n`, 2],
    [`tokens:\n  - user: a\nother: ${long}\n`, 3],
    [`other: ${long}\ntokens:\n  - user: a\n`, 1],
    [`tokens:\n  - user: a\n${"    more: x\n".repeat(9000)}`, 2],
    [`"tokens":\n${"  - user: a\n".repeat(9000)}`, 1],
  ];
  for (const [text, line] of cases) {
    assert.throws(() => cut("tokens", text), refused("config_invalid", /belong together/, { line }), text.slice(0, 60));
  }
});

Deno.test("cutting loses no character and no line, wherever the rows and the breaks lie", () => {
  const line = fc.constantFrom(
    "- user: a",
    "  - user: b",
    "    role: c",
    "# comment",
    "",
    "  # comment",
    "  -",
    "---x",
    "x: y",
  );
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 40, size: "max" }), (lines) => {
      const body = `${lines.join("\n")}\n`;
      const text = `tokens:\n${body.repeat(Math.ceil((MAX_PIECE_CHARS + 1) / body.length))}`;
      let result: ReturnType<typeof cut>;
      try {
        result = cut("tokens", text);
      } catch (error) {
        return assert.ok(refused("config_invalid")(error));
      }
      const pieces = result.rows!.map((piece) => piece.text);
      assert.ok(pieces.every((piece) => piece.length <= MAX_PIECE_CHARS));
      const frame = result.frame.replace(/\n{2,}/g, "");
      assert.ok(text.startsWith("tokens:\n" + pieces.join("")));
      assert.equal(result.frame.split("\n").length, text.split("\n").length);
      assert.ok(frame.length <= 2 * MAX_PIECE_CHARS);
    }),
    { numRuns: 60 },
  );
});
