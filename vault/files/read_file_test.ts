import assert from "node:assert/strict";
import { longestPause, refused, report } from "../_test_support.ts";
import { hashToken } from "../tokens/user_token.ts";
import type { FileName } from "./document.ts";
import { readFile } from "./read_file.ts";
import { ownNow } from "../../tests/own_time.ts";

/** What refusing the worst of files may cost; it takes a fraction of that on a quiet machine. */
const MAX_REFUSAL_MS = 10_000;

async function withFile(content: string | Uint8Array, use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "runevault-read-" });
  try {
    await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

/** Expects a refusal that names path and line, within the time, with the event loop free meanwhile. */
async function refusedInTime(
  what: string,
  file: FileName,
  content: string | Uint8Array,
  reason: RegExp,
): Promise<void> {
  await withFile(content, async (path) => {
    const began = ownNow();
    const { pauseMs } = await longestPause(() =>
      assert.rejects(readFile(file, path), refused("config_invalid", reason))
    );
    const took = ownNow() - began;
    report(`${what}: refused in ${took.toFixed(0)} ms, longest pause ${pauseMs.toFixed(0)} ms`);
    assert.ok(took < MAX_REFUSAL_MS, `${took} ms`);
    assert.ok(pauseMs < 1000, `${pauseMs} ms`);
  });
}

Deno.test("readFile() reads a file in a thread of its own", async () => {
  const text = "tokens:\n  - {user: alice, token: t, role: member, created: 2026-03-20}\n";
  await withFile(text, async (path) => {
    const { rows, digest, generation, file } = await readFile("tokens", path);
    assert.deepEqual([rows.length, rows[0]!.tokenHash, generation, file], [1, hashToken("t"), null, "tokens"]);
    assert.match(digest, /^[0-9a-f]{64}$/);
  });
});

Deno.test("readFile() takes a byte order mark and reports warnings", async () => {
  await withFile("\ufeffroles:\n  r: {top_k: 3}\n", async (path) => {
    const { rows, warnings } = await readFile("roles", path);
    assert.deepEqual([rows[0]!.name, rows[0]!.topK, warnings.length], ["r", 3, 2]);
  });
});

Deno.test("readFile() refuses bytes that are no UTF-8, a folder, and a file that isn't there", async () => {
  await withFile(new Uint8Array([0x74, 0x6f, 0xff, 0xfe, 0x80]), async (path) => {
    await assert.rejects(readFile("tokens", path), refused("config_invalid", new RegExp(`^${path} is not UTF-8$`)));
  });
  const folder = await Deno.makeTempDir();
  await assert.rejects(readFile("tokens", folder), refused("config_invalid"));
  await assert.rejects(readFile("tokens", `${folder}/none`), refused("config_invalid"));
  await Deno.remove(folder);
});

Deno.test("a YAML bomb of references of references is refused before it grows", async () => {
  const level = (i: number) => String.fromCharCode(97 + i);
  const lines = Array.from(
    { length: 20 },
    (_, i) => `  ${level(i + 1)}: &${level(i + 1)} [${Array.from({ length: 9 }, () => `*${level(i)}`).join(", ")}]`,
  );
  await refusedInTime(
    "references",
    "roles",
    `roles:\n  a: &a [x]\n${lines.join("\n")}\n`,
    /line 2: role "a" must be a mapping/,
  );
  const asRole = `x: &x {top_k: 3}\nroles:\n  r: *x\n`;
  await refusedInTime("a reference", "roles", asRole, /line 3: aliases/);
});

Deno.test("nesting as deep as a file is long is refused, naming the line", async () => {
  await refusedInTime("brackets", "tokens", `tokens: ${"[".repeat(60_000)}`, /line 1: nested too deeply/);
  await refusedInTime("braces", "roles", `roles:\n  ${"{a: ".repeat(15_000)}`, /line 2: /);
  await refusedInTime("dashes", "tokens", `tokens:\n${"- ".repeat(30_000)}x`, /line 2: nested too deeply/);
  await refusedInTime(
    "ten megabytes of brackets",
    "tokens",
    `tokens: ${"[".repeat(10_000_000)}`,
    /line 1: .*belong together/,
  );
  const indented = Array.from({ length: 3000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n");
  await refusedInTime("indentation", "roles", indented, /line 1: .*belong together/);
  await refusedInTime("megabytes of documents", "tokens", "---\n".repeat(1_000_000), /line 1: /);
});

Deno.test("one line of 100 MB is refused, naming it", async () => {
  const line = new Uint8Array(100_000_000).fill(0x61);
  await refusedInTime("100 MB of one letter", "tokens", line, /line 1: .*belong together/);
  line.set(new TextEncoder().encode("tokens:\n  - user: "));
  await refusedInTime("100 MB of a name", "tokens", line, /line 2: .*belong together/);
});

Deno.test("a file larger than any of ours is not even read", async () => {
  const path = await Deno.makeTempFile();
  await Deno.truncate(path, 300 * 1024 * 1024);
  const began = ownNow();
  await assert.rejects(readFile("tokens", path), refused("config_invalid", /is larger than 268435456 bytes/));
  assert.ok(ownNow() - began < 2000);
  await Deno.remove(path);
});

Deno.test("reading twenty thousand users leaves the event loop free, and takes time in step with their number", async () => {
  const row = (i: number) => {
    const hash = hashToken(`${i}`);
    return `  - user: user${i}\n    token_hash: sha256:${hash}\n    agent_id: '${
      hash.slice(0, 32)
    }'\n    role: member\n`;
  };
  const text = `generation: 1\ntokens:\n${Array.from({ length: 20_000 }, (_, i) => row(i)).join("")}`;
  await withFile(text, async (path) => {
    const began = ownNow();
    const { result, pauseMs } = await longestPause(() => readFile("tokens", path));
    report(`20,000 users read in ${(ownNow() - began).toFixed(0)} ms, longest pause ${pauseMs.toFixed(1)} ms`);
    assert.equal(result.rows.length, 20_000);
    assert.ok(pauseMs < 1000, `${pauseMs} ms`);
  });
});
