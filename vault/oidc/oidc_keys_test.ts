import { equal, notEqual, rejects } from "node:assert/strict";
import { refused, withVault } from "../_test_support.ts";

Deno.test("OidcKeys rotates the others when one can't be stored, and that one later", async () => {
  await withVault({}, async (it) => {
    const keys = it.vault.engine.oidcKeys;
    for (const name of ["one", "two"]) {
      await keys.put(name, { algorithm: "ES256", rotationPeriod: 60, verificationTtl: 60 });
    }
    const signing = (name: string) => keys.get(name)!.signing.kid;
    const [one, two] = [signing("one"), signing("two")];
    it.clock.advance(60_000);
    it.store.failNext();
    await rejects(() => keys.sweep(), refused("storage_failed"));
    equal([signing("one") === one, signing("two") === two].filter((isOld) => isOld).length, 1, "one of them failed");
    it.clock.advance(60_000);
    await keys.sweep();
    notEqual(signing("one"), one);
    notEqual(signing("two"), two);
  });
});
