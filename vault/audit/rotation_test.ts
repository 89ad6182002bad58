import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { TestTrail, withTrail } from "./_test_support.ts";
import { ALLOWED } from "./encoding.ts";
import { AuditIndex } from "./index/audit_index.ts";
import { parseLine } from "./entry.ts";
import { FileRotation, type RotationSettings } from "./rotation.ts";
import { withinRequest } from "./request.ts";
import { parseSeriesKey } from "./series_key.ts";
import { trailFiles } from "./trail_files.ts";
import { verifyTrail } from "./verify.ts";

const NEVER: RotationSettings = { maxBytes: Infinity, maxAgeMs: undefined, keepMs: undefined, compresses: true };

async function reopened(it: TestTrail, settings: Partial<RotationSettings>): Promise<void> {
  await it.close();
  await it.open({ rotation: new FileRotation(it.path, { ...NEVER, ...settings }, it.clock, it.logger) });
}

/** Writes lines until rotation has happened as often as wanted. */
async function writeUntil(it: TestTrail, isDone: (names: string[]) => boolean): Promise<string[]> {
  for (let i = 0; i < 100; i++) {
    for (let n = 0; n < 50; n++) await it.trail.finish(it.request(`read ${n % 5}`), ALLOWED);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const names = (await Array.fromAsync(Deno.readDir(it.folder))).map(({ name }) => name).sort();
    if (isDone(names)) return names;
  }
  throw new Error("No rotation");
}

const packed = (names: string[]) => names.filter((name) => name.endsWith(".log.gz"));

Deno.test("a file that is full is moved away and packed; the chain goes on, and questions reach into it", async () => {
  await withTrail(async (it) => {
    await reopened(it, { maxBytes: 20_000 });
    await writeUntil(it, (names) => packed(names).length >= 2);
    await it.close();
    const files = await trailFiles(it.path);
    assert.ok(files.length >= 3);
    const keys = [parseSeriesKey(await Deno.readTextFile(`${it.folder}/audit.k0`))];
    const { sequence, hash } = it.trail.status();
    const report = await verifyTrail(files, { keys, head: { sequence, hash } });
    assert.deepEqual([report.broken, report.lines], [null, sequence]);
    const index = new AuditIndex(`${it.folder}/audit.db`, it.path);
    try {
      const lines = (await Array.fromAsync(index.pages({ operation: "read 3" }))).flat().map(parseLine);
      assert.ok(lines.length > 20 && lines.every(({ operation }) => operation === "read 3"));
      assert.equal((await Array.fromAsync(index.pages({}))).flat().length, sequence);
    } finally {
      await index.close();
    }
  });
});

Deno.test("the index follows a file that is moved and packed after it was read", async () => {
  await withTrail(async (it) => {
    const index = new AuditIndex(`${it.folder}/audit.db`, it.path);
    try {
      await it.trail.finish(it.request("read before"), ALLOWED);
      const count = async () => (await Array.fromAsync(index.pages({ operation: "before" }))).flat().length;
      assert.equal(await count(), 1);
      await reopened(it, { maxBytes: 1000 });
      await writeUntil(it, (names) => packed(names).length >= 1);
      assert.equal(await count(), 1);
    } finally {
      await index.close();
    }
  });
});

Deno.test("a file that is old is moved away, and former ones go after their time", async () => {
  await withTrail(async (it) => {
    await reopened(it, { maxAgeMs: 86_400_000 });
    it.clock.advance(Date.now() - it.clock.now() + 2 * 86_400_000);
    await writeUntil(it, (names) => packed(names).length === 1);
    await reopened(it, { keepMs: 10 * 86_400_000 });
    it.clock.advance(20 * 86_400_000);
    const names = await writeUntil(it, (names) => packed(names).length === 0);
    assert.ok(names.includes("audit.log"));
    const report = await verifyTrail(await trailFiles(it.path), { keys: [] });
    assert.equal(report.broken, null);
    assert.match(report.notExcluded.join(), /are not in these files/);
  });
});

Deno.test("a packed file of several members is verified and read from as any other", async () => {
  await withTrail(async (it) => {
    // Text that can't be told in two ways: a distance into a row of the same letters may be wrong and give the same row.
    const random = seededRandom("a packed file");
    const long = () => ({ path: Buffer.from(random.bytes(750)).toString("hex") });
    await reopened(it, { maxBytes: 600_000 });
    for (let i = 0; i < 450; i++) {
      const request = it.request(`read ${i}`);
      request.resource = long();
      await it.trail.finish(request, ALLOWED);
    }
    await writeUntil(it, (names) => packed(names).length === 1);
    await it.close();
    const report = await verifyTrail(await trailFiles(it.path), { keys: [] });
    assert.deepEqual([report.broken, report.lines], [null, it.trail.status().sequence]);
    const index = new AuditIndex(`${it.folder}/audit.db`, it.path);
    try {
      for (const n of [0, 170, 171, 172, 400]) {
        const [line] = (await Array.fromAsync(index.pages({ operation: `read ${n}`, limit: 1 }))).flat();
        assert.equal(parseLine(line!).seq, n + 1);
      }
    } finally {
      await index.close();
    }
    const [first] = await trailFiles(it.path);
    const bytes = await Deno.readFile(first!.path);
    for (const at of [40, bytes.length >> 1, bytes.length - 4]) {
      await Deno.writeFile(first!.path, bytes.map((byte, i) => i === at ? byte ^ 0xff : byte));
      const altered = await verifyTrail(await trailFiles(it.path), { keys: [] });
      assert.ok(altered.broken !== null, `byte ${at}`);
    }
  });
});

Deno.test("the packed file is gzip, as zcat reads it", async () => {
  await withTrail(async (it) => {
    await reopened(it, { maxBytes: 2000 });
    const [name] = packed(await writeUntil(it, (names) => packed(names).length >= 1));
    const { stdout, success } = await new Deno.Command("zcat", { args: [`${it.folder}/${name}`] }).output();
    assert.ok(success);
    assert.equal(parseLine(new TextDecoder().decode(stdout).split("\n")[0]!).seq, 1);
  });
});

/** Does something, has its lines moved away with their file, stops, starts, and looks at what stands then. */
async function movedAwayAndOpened(end: "close" | "kill", work: (it: TestTrail) => Promise<void>): Promise<void> {
  await withTrail(async (it) => {
    await reopened(it, { maxBytes: 1, compresses: false });
    await work(it);
    for (let i = 0; i < 100 && (await trailFiles(it.path)).length < 2; i++) {
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await it[end]();
    await it.open();
    await it.changeRole("z");
    await it.close();
    const keys = [parseSeriesKey(await Deno.readTextFile(`${it.folder}/audit.k0`))];
    const report = await verifyTrail(await trailFiles(it.path), { keys });
    assert.deepEqual([report.broken, report.lines, it.trail.status().sequence], [null, 2, 2]);
  });
}

for (const end of ["close", "kill"] as const) {
  Deno.test(`a change whose line was moved away with its file has no second one after a start [${end}]`, async () => {
    await movedAwayAndOpened(end, (it) => it.changeRole("a"));
  });

  Deno.test(`a request whose line was moved away is not said to have been interrupted [${end}]`, async () => {
    await movedAwayAndOpened(end, async (it) => {
      const request = it.request("read creds");
      request.goesOn = true;
      await withinRequest(request, () => it.changeRole("a"));
      await it.trail.finish(request, ALLOWED);
    });
  });
}
