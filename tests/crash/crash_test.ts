/**
 * A vault that is killed again and again in the middle of its changes loses none that it acknowledged.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { seededNumbers } from "./_fleet.ts";
import { killAgainAndAgain } from "./_kill_run.ts";

const KILLS = 8;
const CHANGES = 200;

Deno.test("200 acknowledged changes survive eight kills at random points, and no revoked token comes back", async () => {
  const seed = Number(Deno.env.get("RUNEVAULT_TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  try {
    const plan = { kills: KILLS, changesALife: CHANGES / (KILLS - 2), random: seededNumbers(seed) };
    const { acknowledged, deadTokens } = await killAgainAndAgain(plan);
    ok(acknowledged >= CHANGES / 2, `${acknowledged} changes`);
    ok(deadTokens > 20, `${deadTokens} tokens died`);
  } catch (error) {
    throw new Error(`With RUNEVAULT_TEST_SEED=${seed}`, { cause: error });
  }
});
