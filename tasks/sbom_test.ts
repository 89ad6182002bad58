import { deepEqual, equal, match, throws } from "node:assert/strict";
import { type LockFile, sbomOf } from "./sbom.ts";

const integrity = `sha512-${btoa("x".repeat(64))}`;
const lock: LockFile = {
  npm: {
    "a@1.0.0": { integrity, dependencies: ["@s/b", "c@2.0.0"] },
    "@s/b@1.2.3_a@1.0.0": { integrity },
    "c@1.0.0": { integrity },
    "c@2.0.0": { integrity, dependencies: ["old@npm:c@1.0.0"] },
    "test@1.0.0": { integrity },
  },
};
const options = { version: "0.1.0", denoVersion: "2.8.3", shipped: ["a@1.0.0"] };

interface Bom {
  readonly components: readonly { name: string; version: string; scope: string; purl: string; "bom-ref": string }[];
  readonly dependencies: readonly { ref: string; dependsOn: readonly string[] }[];
  readonly serialNumber: string;
}

Deno.test("the bill of materials has every package of the lock, and says which are in the program", () => {
  const { components } = sbomOf(lock, options) as unknown as Bom;
  deepEqual(components.map(({ name, version, scope }) => `${name} ${version} ${scope}`), [
    "deno 2.8.3 required",
    "@s/b 1.2.3 required",
    "a 1.0.0 required",
    "c 1.0.0 required",
    "c 2.0.0 required",
    "test 1.0.0 excluded",
  ]);
  equal(components[1]!.purl, "pkg:npm/%40s/b@1.2.3");
});

Deno.test("who needs what is told by references that all lead somewhere", () => {
  const { components, dependencies } = sbomOf(lock, options) as unknown as Bom;
  const refs = new Set(components.map((one) => one["bom-ref"]));
  equal(refs.size, components.length);
  for (const { dependsOn } of dependencies) for (const ref of dependsOn) equal(refs.has(ref), true, ref);
  deepEqual(dependencies.find(({ ref }) => ref === "npm:c@2.0.0")?.dependsOn, ["npm:c@1.0.0"]);
});

Deno.test("the same lock gives the same document, another lock another serial number", () => {
  const first = sbomOf(lock, options) as unknown as Bom;
  equal(JSON.stringify(sbomOf(lock, options)), JSON.stringify(first));
  match(first.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const other = sbomOf(lock, { ...options, version: "0.1.1" }) as unknown as Bom;
  equal(other.serialNumber === first.serialNumber, false);
});

Deno.test("a lock that names a package which it doesn't hold is refused", () => {
  throws(() => sbomOf({ npm: { "a@1.0.0": { dependencies: ["gone"] } } }, options), /0 packages for "gone"/);
});
