import { strict as assert } from "node:assert";
import { gzipSync } from "node:zlib";
import { refused } from "../_test_support.ts";
import { TestTrail, withTrail } from "./_test_support.ts";
import { ALLOWED } from "./encoding.ts";
import { inOrder, linesOf, trailFiles } from "./trail_files.ts";
import { parseSeriesKey } from "./series_key.ts";
import { type TrailHead, verifyTrail } from "./verify.ts";

const LINES = 12;

async function withLines(use: (trail: TestTrail, lines: string[]) => Promise<void>): Promise<void> {
  await withTrail(async (it) => {
    for (let i = 0; i < LINES; i++) {
      const request = it.request(`read number ${i}`);
      if (i % 4 === 0) await it.changeRole(`r${i}`);
      else await it.trail.finish(request, ALLOWED);
    }
    await it.close();
    await use(it, it.lines());
  });
}

async function keyOf(it: TestTrail) {
  return [parseSeriesKey(await Deno.readTextFile(`${it.folder}/audit.k0`))];
}

function headOf(it: TestTrail): TrailHead {
  const { sequence, hash } = it.trail.status();
  return { sequence, hash };
}

async function found(it: TestTrail, lines: readonly string[], how: { key?: boolean; head?: boolean } = {}) {
  await Deno.writeTextFile(it.path, lines.map((line) => `${line}\n`).join(""));
  const keys = how.key ? await keyOf(it) : [];
  return await verifyTrail(await trailFiles(it.path), { keys, head: how.head ? headOf(it) : undefined });
}

Deno.test("verify finds nothing in a trail that nobody touched, and says what it could not exclude", async () => {
  await withLines(async (it, lines) => {
    const all = await found(it, lines, { key: true, head: true });
    assert.deepEqual([all.broken, all.lines, all.checkedKeys, all.notExcluded], [null, LINES, LINES, []]);
    const neither = await found(it, lines);
    assert.equal(neither.broken, null);
    assert.equal(neither.notExcluded.length, 2);
  });
});

Deno.test("attack: a flipped bit anywhere in any line is found, and the entry is named", async () => {
  await withLines(async (it, lines) => {
    for (let i = 0; i < lines.length; i++) {
      for (let at = 0; at < lines[i]!.length; at += 37) {
        const altered = lines.map((line, n) => n === i ? flipped(line, at) : line);
        const { broken } = await found(it, altered, { key: true, head: true });
        assert.ok(broken !== null, `line ${i + 1}, letter ${at}`);
        // A changed number is seen at once, what else is changed at the line itself: its MAC is wrong.
        assert.equal(broken.line, i + 1);
      }
    }
  });
});

Deno.test("attack: without a key a flipped bit is found by the hash in the next line", async () => {
  await withLines(async (it, lines) => {
    for (let at = 1; at < lines[4]!.length; at += 11) {
      const { broken } = await found(it, lines.map((line, n) => n === 4 ? flipped(line, at) : line));
      assert.ok(broken !== null && (broken.line === 5 || broken.line === 6), `letter ${at}`);
    }
  });
});

Deno.test("attack: a deletion and a swap are found with and without a key", async () => {
  await withLines(async (it, lines) => {
    for (const key of [true, false]) {
      for (let i = 1; i < LINES - 1; i++) {
        const without = lines.toSpliced(i, 1);
        assert.equal((await found(it, without, { key })).broken?.sequence, i + 1);
        const swapped = lines.with(i, lines[i + 1]!).with(i + 1, lines[i]!);
        assert.equal((await found(it, swapped, { key })).broken?.line, i + 1);
        assert.equal((await found(it, lines.toSpliced(i, 0, lines[i]!), { key })).broken?.line, i + 2);
      }
    }
  });
});

Deno.test("attack: a cut end is found against the head; without it verify says that it could not", async () => {
  await withLines(async (it, lines) => {
    for (const count of [0, 1, LINES - 1]) {
      const cut = lines.slice(0, count);
      assert.equal((await found(it, cut, { head: true })).broken?.sequence, count + 1);
      const blind = await found(it, cut, { key: true });
      assert.equal(blind.broken, null);
      assert.ok(blind.notExcluded.some((said) => said.includes("missing at the end")));
    }
  });
});

Deno.test("attack: an end forged by whoever has today's key file and can hash is found with the first key", async () => {
  await withLines(async (it, lines) => {
    const { Chain, hashOf } = await import("./chain.ts");
    const kept = lines.slice(0, 6);
    const forger = new Chain({ sequence: 6, hash: hashOf(kept[5]!), key: new Uint8Array(32).fill(9) });
    const forged = [...kept, ...lines.slice(6).map((line) => forger.append(`{"time":${JSON.stringify(line.length)}}`))];
    assert.equal((await found(it, forged, { key: true })).broken?.sequence, 7);
    assert.equal((await found(it, forged, { head: true })).broken?.sequence, LINES, "the head is another");
    const blind = await found(it, forged);
    assert.equal(blind.broken, null);
    assert.ok(blind.notExcluded.some((said) => said.includes("written anew")));
  });
});

Deno.test("a trail in several files is one, also where some are compressed or were rotated by another", async () => {
  await withLines(async (it, lines) => {
    const text = (from: number, to: number) => lines.slice(from, to).map((line) => `${line}\n`).join("");
    await Deno.writeTextFile(`${it.folder}/audit.log.1`, text(3, 7));
    const packed = new Blob([text(0, 3)]).stream().pipeThrough(new CompressionStream("gzip"));
    await Deno.writeFile(`${it.folder}/audit.log.2.gz`, packed);
    await Deno.writeTextFile(it.path, text(7, LINES));
    await Deno.writeTextFile(`${it.folder}/audit.logic`, "another program's");
    const files = await trailFiles(it.path);
    assert.deepEqual(files.map(({ first }) => first), [1, 4, 8]);
    const report = await verifyTrail(files, { keys: await keyOf(it), head: headOf(it) });
    assert.deepEqual([report.broken, report.lines], [null, LINES]);
    const later = await verifyTrail(files.slice(1), { keys: await keyOf(it), head: headOf(it) });
    assert.deepEqual([later.broken, later.checkedKeys], [null, LINES - 3]);
    assert.match(later.notExcluded.join(), /entries 1 to 3/);
  });
});

Deno.test("a file that another program compressed and somebody altered or cut off is refused by name", async () => {
  await withLines(async (it, lines) => {
    const packed = gzipSync(lines.map((line) => `${line}\n`).join(""));
    const path = `${it.folder}/audit.log.1.gz`;
    for (const bytes of [packed.subarray(0, -20), packed.fill(0, 0, 2)]) {
      await Deno.writeFile(path, bytes);
      await assert.rejects(
        Array.fromAsync(linesOf(path)),
        refused("invalid_argument", /audit\.log\.1\.gz can't be unpacked/),
      );
      assert.equal((await inOrder([path]))[0]!.path, path, "it does not keep the others from being read");
    }
  });
});

Deno.test("parseSeriesKey() takes what the first start left, and bare digits", () => {
  const digits = "ab".repeat(32);
  assert.equal(parseSeriesKey(`${digits}\n`).firstSequence, 1);
  assert.equal(parseSeriesKey(`{"first_sequence":7,"key":"${digits}"}`).firstSequence, 7);
  for (const bad of ["", "{}", "[]", "null", `{"first_sequence":0,"key":"${digits}"}`, digits.slice(1)]) {
    assert.throws(() => parseSeriesKey(bad));
  }
});

function flipped(line: string, at: number): string {
  const letter = String.fromCharCode(line.charCodeAt(at) ^ 1);
  return line.slice(0, at) + letter + line.slice(at + 1);
}
