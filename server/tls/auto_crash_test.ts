/**
 * Ends a process with SIGKILL before each of the steps by which it writes certificates, and starts on what it left.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { RecordingLogger, ShiftedClock, systemRandom, wanted, withFolder } from "./_fixtures.ts";
import { ensureAutoTls } from "./auto.ts";

/** More than the child has steps, so that a count that never ends fails. */
const MAX_STEPS = 60;

/** Makes all four files, then has the server's two replaced; kills itself before its `fatalStep`-th change on disk. */
const CHILD = `
  const [room, dir, fatalStep] = Deno.args;
  let step = 0;
  const counted = (owner, name, counts = () => true) => {
    const original = owner[name];
    owner[name] = function (...args) {
      if (counts(...args) && ++step === Number(fatalStep)) Deno.kill(Deno.pid, "SIGKILL");
      return original.apply(this, args);
    };
  };
  counted(Deno, "mkdir");
  counted(Deno, "rename");
  counted(Deno, "remove");
  counted(Deno, "open", (path, options) => options?.write === true);
  counted(Deno.FsFile.prototype, "write");
  const { ensureAutoTls } = await import(room + "auto.ts");
  const { RecordingLogger, ShiftedClock, systemRandom, wanted } = await import(room + "_fixtures.ts");
  const options = { clock: new ShiftedClock(), logger: new RecordingLogger(), random: systemRandom };
  for (const names of [wanted(), wanted([], {}, ["10.0.0.1"])]) {
    await (await ensureAutoTls({ ...options, dir, names })).material.close();
  }`;

/** Whether the child was killed: false once it has fewer steps than that. */
async function isKilledAt(step: number, dir: string): Promise<boolean> {
  const room = new URL(".", import.meta.url).href;
  const args = ["eval", "--no-check", CHILD, room, dir, `${step}`];
  const { signal, success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  assert.ok(success || signal === "SIGKILL", new TextDecoder().decode(stderr));
  return signal === "SIGKILL";
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

Deno.test("ensureAutoTls() starts on what kill -9 left at any step, with the CA that was there", async () => {
  let step = 1;
  for (let isKilled = true; isKilled; step++) {
    assert.ok(step < MAX_STEPS);
    await withFolder(async (folder) => {
      const dir = join(folder, "tls");
      isKilled = await isKilledAt(step, dir);
      const before = await textOf(join(dir, "ca.pem"));
      const options = { clock: new ShiftedClock(), logger: new RecordingLogger(), random: systemRandom };
      const { material, caPem } = await ensureAutoTls({ ...options, dir, names: wanted() });
      await material.close();
      assert.equal((await Array.fromAsync(Deno.readDir(dir))).length, 4, `nothing is left over from step ${step}`);
      if (before !== null) assert.equal(caPem, before);
    });
  }
  assert.ok(step > 20, "the child was killed while it wrote, and not at the end alone");
});
