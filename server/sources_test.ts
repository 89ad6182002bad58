import { deepEqual, equal } from "node:assert/strict";
import { SERVE_OPTIONS } from "./config_options.ts";
import { readSources } from "./sources.ts";

Deno.test("S26: every secret of the environment is gone from it once it was read, under its old name too", async () => {
  const folder = await Deno.makeTempDir();
  const names = SERVE_OPTIONS.filter((option) => option.secret).flatMap(({ env, legacyEnv }) =>
    [env, legacyEnv ?? []].flat()
  );
  const kept = new Map([...names, "RUNEVAULT_INDEX_NAME"].map((name) => [name, Deno.env.get(name)]));
  try {
    for (const name of names) Deno.env.set(name, "evt_00112233445566778899aabbccddeeff");
    Deno.env.set("RUNEVAULT_INDEX_NAME", "team");
    const { config } = await readSources({ data_dir: folder });
    equal(config.teamSecret, "evt_00112233445566778899aabbccddeeff", "it was read");
    deepEqual(names.filter((name) => Deno.env.get(name) !== undefined), []);
    equal(Deno.env.get("RUNEVAULT_INDEX_NAME"), "team", "what is no secret stays");
  } finally {
    for (const [name, value] of kept) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
    await Deno.remove(folder, { recursive: true });
  }
});
