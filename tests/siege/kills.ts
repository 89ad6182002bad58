/**
 * `kill -9` at random points under a mixed load of issue, rotate, revoke, disable, role change, file edit and rotation of
 * the team secret, each followed by a start and a look at everything that was acknowledged.
 *
 * @module
 */

import { killAgainAndAgain } from "../crash/_kill_run.ts";
import { type Attack, count } from "./attack.ts";

const SHORT_KILLS = 15;
const LONG_KILLS = 1000;
const CHANGES_A_LIFE = 25;
const PROGRESS_EVERY = 50;

export const kills: Attack = {
  name: "kills",
  hasTls: false,
  run: async ({ isLong, kills: asked, random, onProgress }) => {
    const wanted = asked ?? (isLong ? LONG_KILLS : SHORT_KILLS);
    const report = await killAgainAndAgain({
      kills: wanted,
      changesALife: CHANGES_A_LIFE,
      random,
      onKill: (so) => {
        const done = so.kills + so.killsAtStart;
        if (done % PROGRESS_EVERY === 0) onProgress(`${done} kills, ${so.acknowledged} changes acknowledged`);
      },
    });
    return [
      `${count(report.kills)} kills under load and ${count(report.killsAtStart)} while starting`,
      `${count(report.acknowledged)} changes acknowledged, all there`,
      `${count(report.deadTokens)} tokens dead and dead again at each start`,
      `${count(report.editsTaken)} file edits taken, ${count(report.editsRefused)} refused as too old`,
    ].join("; ");
  },
};
