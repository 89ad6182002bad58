/**
 * `runevault clock …`
 *
 * @module
 */

import type { ClockBody } from "../../admin/wire.ts";
import { facts } from "../format.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { answer } from "../session.ts";

/** Adds the commands about the clock. */
export function addClockCommands(root: Root, { io }: CliContext): void {
  const clock = root.command("clock").helpCommand(false).description("Say whether the server may believe its clock.");

  clock.command("status").description("Say whether the clock is believed.")
    .addHelpText("after", examples("runevault clock status"))
    .action(async (_options, command) => {
      await answer(io, command.optsWithGlobals(), { method: "GET", path: "/clock" }, showClock);
    });

  clock.command("accept").description("Believe the clock as it is: what has expired by it ends for good.")
    .addHelpText("after", examples("runevault clock accept"))
    .action(async (_options, command) => {
      await answer(io, command.optsWithGlobals(), { method: "POST", path: "/clock/accept" }, showClock);
    });
}

function showClock({ state, reason }: ClockBody): string {
  return facts([["Clock", state], ["Reason", reason]]);
}
