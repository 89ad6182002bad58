/**
 * `./denow task release`: `dist/release/`, what is published: the program for every platform whose runtime can be had, a
 * bill of materials, install.sh and their SHA-256.
 *
 * Each program is compiled twice, and the two must be the same to the byte. What was skipped is said; with
 * RUNEVAULT_RELEASE_ALL=1, as in the release workflow, nothing may be. Signing is another step, with a key that this one
 * never sees: tasks/sign_release.sh.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { VERSION } from "../version.ts";
import { compileProgram, NATIVE_PACKAGES } from "./program.ts";
import { type LockFile, sbomOf } from "./sbom.ts";

const OUTPUT = "dist/release";

/** Names of files, and what the compiler calls the platform. */
const TARGETS: Readonly<Record<string, string>> = {
  "linux-x64": "x86_64-unknown-linux-gnu",
  "linux-arm64": "aarch64-unknown-linux-gnu",
  "macos-x64": "x86_64-apple-darwin",
  "macos-arm64": "aarch64-apple-darwin",
};

const files: string[] = [];
const skipped: string[] = [];

await Deno.remove(OUTPUT, { recursive: true }).catch(ignoreMissing);
await Deno.mkdir(OUTPUT, { recursive: true });
for (const [platform, target] of Object.entries(TARGETS)) await releaseFor(platform, target);
await Deno.copyFile("install.sh", `${OUTPUT}/install.sh`);
await writeText(`runevault-${VERSION}.cdx.json`, `${JSON.stringify(await billOfMaterials(), null, 2)}\n`);
files.push("install.sh");
const sums = await Promise.all(files.sort().map(async (file) => `${await sha256(file)}  ${file}\n`));
await Deno.writeTextFile(`${OUTPUT}/SHA256SUMS`, sums.join(""));
print(sums.join(""));
for (const line of skipped) print(`skipped ${line}\n`);
if (files.length === 2) fail("no program was compiled");
if (skipped.length > 0 && Deno.env.get("RUNEVAULT_RELEASE_ALL") === "1") fail("nothing may be skipped in a release");

async function releaseFor(platform: string, target: string): Promise<void> {
  const isOwn = target === Deno.build.target;
  if (!isOwn && Deno.env.get("DENORT_BIN") !== undefined) {
    skipped.push(`${platform}: DENORT_BIN is the runtime of another platform`);
    return;
  }
  const file = `runevault-${VERSION}-${platform}`;
  const { ok, said } = await compileProgram(target, `${OUTPUT}/${file}`);
  if (!ok && isOwn) fail(said);
  if (!ok) {
    skipped.push(`${platform}: ${said.trim().split("\n").at(-1)}`);
    return;
  }
  await assertReproducible(target, file);
  files.push(file);
}

async function assertReproducible(target: string, file: string): Promise<void> {
  const again = `${file}.again`;
  const { ok, said } = await compileProgram(target, `${OUTPUT}/${again}`);
  if (!ok) fail(said);
  const [first, second] = [await sha256(file), await sha256(again)];
  await Deno.remove(`${OUTPUT}/${again}`);
  if (first !== second) fail(`${file}: two compilations differ (${first}, ${second})`);
  print(`${file}: two compilations are the same to the byte\n`);
}

async function billOfMaterials(): Promise<unknown> {
  const lock = JSON.parse(await Deno.readTextFile("deno.lock")) as LockFile;
  const shipped = [...await importedPackages(), ...nativePackages(lock)];
  return sbomOf(lock, { version: VERSION, denoVersion: Deno.version.deno, shipped: [...new Set(shipped)].sort() });
}

/** What the program's own modules import from npm. */
async function importedPackages(): Promise<string[]> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", "main.ts"] }).output();
  if (!success) fail("deno info failed");
  const graph = JSON.parse(new TextDecoder().decode(stdout)) as { modules: { npmPackage?: string }[] };
  return graph.modules.flatMap(({ npmPackage }) => npmPackage ?? []);
}

function nativePackages(lock: LockFile): string[] {
  const names = Object.values(NATIVE_PACKAGES).flat();
  return Object.keys(lock.npm).filter((key) => names.some((name) => key.startsWith(`${name}@`)));
}

async function writeText(file: string, text: string): Promise<void> {
  await Deno.writeTextFile(`${OUTPUT}/${file}`, text);
  files.push(file);
}

async function sha256(file: string): Promise<string> {
  return createHash("sha256").update(await Deno.readFile(`${OUTPUT}/${file}`)).digest("hex");
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

function fail(reason: string): never {
  print(`release: ${reason}\n`);
  Deno.exit(1);
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
