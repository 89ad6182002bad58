/**
 * Bytes before authentication (S17): large messages of strangers, of which each holds the last byte back.
 *
 * @module
 */

import { sleep } from "../clients.ts";
import { type Attack, must } from "./attack.ts";
import { answersEverywhere, change, mustGoOn } from "./doors.ts";
import { Ground } from "./ground.ts";
import { Hoarder } from "./hoarder.ts";

const HOARDERS = 50;
const MIB = 2 ** 20;
const MESSAGE_BYTES = 254 * MIB;
/** All that strangers of one address, and of any, may hold: with the calls of others it leaves room for one and two. */
const HELD_AT_MOST = { 1: 1, [HOARDERS]: 2 } as const;
const HOLDING_MS = 3000;

/** 50 strangers of one address, in the long form then of 50, each with 254 MiB; calls, changes and the trail go on. */
export const heldBytes: Attack = {
  name: "held bytes",
  // The bytes are counted behind TLS, in the same place.
  hasTls: false,
  run: async (siege) => {
    await using ground = await Ground.start(siege);
    const outcomes: string[] = [];
    for (const addresses of siege.isLong ? [1, HOARDERS] as const : [1] as const) {
      let said = "";
      const { calls, slowestMs } = await ground.besiege(async () => {
        said = await hoard(ground, addresses);
      });
      await mustGoOn(ground, `messages held back from ${addresses} addresses`);
      const slowest = slowestMs.toFixed(0);
      const most = Math.round(await ground.mostResident() / 1e6);
      outcomes.push(
        `from ${addresses === 1 ? "one address" : `${addresses} addresses`} ${said}, ${calls} valid calls answered, ` +
          `slowest ${slowest} ms, at most ${most} MB resident`,
      );
    }
    return `${HOARDERS} messages of 254 MiB without a token, the last byte held: ${outcomes.join("; ")}; other ports ` +
      `answered and changes were committed meanwhile, all answered within 5 s after`;
  },
};

async function hoard(ground: Ground, addresses: keyof typeof HELD_AT_MOST): Promise<string> {
  using stack = new DisposableStack();
  const opening = Array.from({ length: HOARDERS }, async (_, i) => {
    return stack.use(await Hoarder.open(ground, `127.0.9.${1 + i % addresses}`));
  });
  const hoarders = await Promise.all(opening);
  const ends = await Promise.all(hoarders.map((one) => one.send(MESSAGE_BYTES)));
  const ended = (how: string) => ends.filter((one) => one === how).length;
  const said = `${ended("held")} held whole, ${ended("refused")} refused, ${ended("closed")} closed`;
  must(ended("held") > 0 && ended("held") <= HELD_AT_MOST[addresses], said);
  await sleep(HOLDING_MS);
  await answersEverywhere(ground);
  await change(ground, `held-${addresses}`);
  return said;
}
