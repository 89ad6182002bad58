import { deepEqual, equal } from "node:assert/strict";
import { FileRotation } from "../audit/rotation.ts";
import { trailFiles } from "../audit/trail_files.ts";
import { withTrail } from "../audit/_test_support.ts";
import { pastOf } from "./past.ts";

Deno.test("S9: what happened since is found in former files too, where rotation has moved the last lines away", async () => {
  for (const compresses of [false, true]) {
    await withTrail(async (it) => {
      await it.changeRole("a");
      const { sequence, hash } = it.trail.status();
      const before = it.state.sequence;
      await it.close();
      const settings = { maxBytes: 1, maxAgeMs: undefined, keepMs: undefined, compresses };
      await it.open({ rotation: new FileRotation(it.path, settings, it.clock, it.logger) });
      for (const name of ["b", "c"]) {
        const files = (await trailFiles(it.path)).length;
        await it.changeRole(name);
        for (let i = 0; i < 200 && (await trailFiles(it.path)).length === files; i++) {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
      const { sequence: changes } = it.state;
      await it.kill();
      equal((await Deno.stat(it.path)).size, 0);
      const { lastChange, lastLine, replay } = await pastOf(it.path, { sequence, hash }, before);
      deepEqual([lastChange, lastLine, replay?.entries], [changes, it.trail.status().sequence, 2]);
      await Deno.remove(it.path);
      equal((await pastOf(it.path, { sequence, hash }, before)).lastChange, changes);
      const present = { sequence: it.trail.status().sequence, hash: it.trail.status().hash };
      equal((await pastOf(it.path, present, changes)).lastChange, 0);
    });
  }
});
