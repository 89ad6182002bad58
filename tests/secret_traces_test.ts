import { deepEqual, equal, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { findTraces, findTracesBelow } from "./secret_traces.ts";

const SECRET = Buffer.from("evt_00112233445566778899aabbccddeeff");

Deno.test("findTraces() finds a secret in each form, wherever it stands", () => {
  for (const before of ["", "x", "xy", "xyz", "…"]) {
    const all = Buffer.concat([Buffer.from(before), SECRET, Buffer.from("behind")]);
    for (const form of ["base64", "base64url", "hex", "latin1"] as const) {
      const found = findTraces("it", `{"a":"${all.toString(form)}"}`, { token: SECRET });
      equal(found.length > 0, true, `${form} behind ${JSON.stringify(before)}`);
    }
  }
  for (const escaped of [encodeURIComponent("a b/c 한글"), encodeURIComponent("a b/c 한글").toLowerCase()]) {
    equal(findTraces("it", escaped, { it: "a b/c 한글" }).length, 1);
  }
});

Deno.test("findTraces() finds nothing where there is nothing", () => {
  const other = Buffer.from("evt_ffeeddccbbaa99887766554433221100");
  for (const form of ["base64", "hex", "latin1"] as const) {
    deepEqual(findTraces("it", other.toString(form), { token: SECRET }), []);
  }
  throws(() => findTraces("it", "", { short: "evt" }), RangeError);
});

Deno.test("findTracesBelow() looks into every folder and at every name", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/a/b`, { recursive: true });
    await Deno.writeFile(`${folder}/a/b/c`, Buffer.concat([Buffer.of(0, 255, 1), SECRET]));
    await Deno.writeFile(`${folder}/a/${SECRET}`, new Uint8Array());
    await Deno.writeFile(`${folder}/seal.key`, SECRET);
    const found = await findTracesBelow(folder, { token: SECRET }, ["seal.key"]);
    deepEqual(found.map((one) => one.replace(/ in .*/, "")), ["token as plain", "token as plain"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("findTracesBelow() finds what a file holds that is replaced all the while", async () => {
  const folder = await Deno.makeTempDir();
  const ended = new AbortController();
  const replaced = (async () => {
    for (let turn = 0; !ended.signal.aborted; turn++) {
      await Deno.writeFile(`${folder}/${turn % 8}.new`, SECRET);
      await Deno.rename(`${folder}/${turn % 8}.new`, `${folder}/${turn % 8}`);
    }
  })();
  try {
    for (let walk = 0; walk < 50; walk++) {
      const found = await findTracesBelow(folder, { token: SECRET });
      equal(found.length <= 16, true);
    }
  } finally {
    ended.abort();
    await replaced;
    equal((await findTracesBelow(folder, { token: SECRET })).length, 8);
    await Deno.remove(folder, { recursive: true });
  }
});
