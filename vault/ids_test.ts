import assert from "node:assert/strict";
import { FakeClock } from "../tests/fakes/ports.ts";
import { seededRandom } from "../tests/fakes/seeded_random.ts";
import { newEntityId } from "./ids.ts";

Deno.test("newEntityId() has the form and the time of RFC 9562's example of a version-7 UUID (appendix A.6)", () => {
  // unix_ts_ms 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
  const random = { bytes: () => Uint8Array.fromHex("0000000000000cc318c4dc0c0c07398f") };
  assert.equal(newEntityId(new FakeClock(0x017f22e279b0), random), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
});

Deno.test("newEntityId() sets version and variant whatever the random bytes are", () => {
  const all = (byte: number) => ({ bytes: (length: number) => new Uint8Array(length).fill(byte) });
  for (const byte of [0x00, 0xff, 0x5a]) {
    assert.match(
      newEntityId(new FakeClock(1), all(byte)),
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  }
});

Deno.test("newEntityId() sorts by the time of making, and never makes the same twice", () => {
  const random = seededRandom("entity ids");
  const times = [0, 1, 0xffff, 0x10000, 0xffff_ffff, 0x1_0000_0000, Date.UTC(2026, 2, 20), Date.UTC(2100, 0, 1)];
  const ids = times.map((at) => newEntityId(new FakeClock(at), random));
  assert.deepEqual([...ids].sort(), ids);
  const clock = new FakeClock(5);
  assert.equal(new Set(Array.from({ length: 10_000 }, () => newEntityId(clock, random))).size, 10_000);
});
