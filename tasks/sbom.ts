/**
 * What the program is made of, as a CycloneDX 1.6 document (ECMA-424), read from the lock file.
 *
 * The same lock file gives the same document to the byte: it has no time, and its serial number is a digest of it.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";

/** The part of deno.lock (version 5) that matters here. */
export interface LockFile {
  /** By name and version, then `_` and the peers that it was resolved with. */
  readonly npm: Readonly<Record<string, LockedPackage>>;
}

/** One package of the lock file. */
export interface LockedPackage {
  /** Subresource integrity: `sha512-` and base64. */
  readonly integrity?: string;
  /** Names, with a version where several are locked; `alias@npm:name@version` for one under another name. */
  readonly dependencies?: readonly string[];
}

/** What a bill of materials is made for. */
export interface SbomOptions {
  /** Version of the program. */
  readonly version: string;
  /** Version of the runtime that is compiled in. */
  readonly denoVersion: string;
  /** The packages that the program itself imports, as keys of the lock file; what they need follows. */
  readonly shipped: readonly string[];
}

interface Component {
  readonly type: string;
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly scope: "required" | "excluded";
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}

/** Makes the document; throws for a lock file that names a package which it doesn't hold. */
export function sbomOf(lock: LockFile, options: SbomOptions): Record<string, unknown> {
  const keys = Object.keys(lock.npm).sort();
  const inProgram = closureOf(lock, options.shipped);
  const components = [
    denoComponent(options.denoVersion),
    ...keys.map((key) => component(key, lock.npm[key]!, inProgram.has(key))),
  ];
  const self = `pkg:generic/runevault@${options.version}`;
  const dependencies = [
    { ref: self, dependsOn: [purlOfDeno(options.denoVersion), ...options.shipped.map(refOf)].sort() },
    ...keys.map((key) => ({ ref: refOf(key), dependsOn: dependenciesOf(lock, key).map(refOf).sort() })),
  ];
  const body = {
    metadata: {
      component: { type: "application", "bom-ref": self, name: "runevault", version: options.version, purl: self },
    },
    components,
    dependencies,
  };
  return { bomFormat: "CycloneDX", specVersion: "1.6", serialNumber: serialOf(body), version: 1, ...body };
}

/** The packages with all that they need, as keys of the lock file. */
function closureOf(lock: LockFile, roots: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  const waiting = [...roots];
  for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
    if (found.has(key)) continue;
    found.add(key);
    waiting.push(...dependenciesOf(lock, key));
  }
  return found;
}

function dependenciesOf(lock: LockFile, key: string): string[] {
  const locked = lock.npm[key];
  if (locked === undefined) throw new Error(`the lock file holds no ${key}`);
  return (locked.dependencies ?? []).map((dependency) => keyOf(lock, dependency));
}

/** A dependency is the whole key of a package, or its name alone where there is but one of that name. */
function keyOf(lock: LockFile, dependency: string): string {
  const wanted = dependency.replace(/^.+@npm:/, "");
  if (wanted in lock.npm) return wanted;
  const named = Object.keys(lock.npm).filter((key) => nameAndVersion(key).name === wanted);
  if (named.length !== 1) throw new Error(`the lock file holds ${named.length} packages for "${dependency}"`);
  return named[0]!;
}

function nameAndVersion(key: string): { name: string; version: string } {
  const bare = key.replace(/^(.[^@]*@[^_]*)_.*$/, "$1");
  const at = bare.lastIndexOf("@");
  return { name: bare.slice(0, at), version: bare.slice(at + 1) };
}

/** Two resolutions of one package with other peers are two components of one package URL. */
function refOf(key: string): string {
  return `npm:${key}`;
}

function component(key: string, { integrity }: LockedPackage, isShipped: boolean): Component {
  const { name, version } = nameAndVersion(key);
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  const scope = isShipped ? "required" : "excluded";
  const content = integrity?.startsWith("sha512-") ? Buffer.from(integrity.slice(7), "base64").toString("hex") : "";
  const hashes = content === "" ? {} : { hashes: [{ alg: "SHA-512", content }] };
  return { type: "library", "bom-ref": refOf(key), name, version, scope, purl, ...hashes };
}

function purlOfDeno(version: string): string {
  return `pkg:github/denoland/deno@v${version}`;
}

function denoComponent(version: string): Component {
  const purl = purlOfDeno(version);
  return { type: "platform", "bom-ref": purl, name: "deno", version, scope: "required", purl };
}

/** A UUID of version 8 (RFC 9562 §5.8): its bits are a digest's. */
function serialOf(body: unknown): string {
  const bytes = createHash("sha256").update(JSON.stringify(body)).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  return `urn:uuid:${parts.join("-")}`;
}
