/**
 * Every attack, in the order in which they are laid.
 *
 * @module
 */

import type { Attack } from "./attack.ts";
import { flippedBits, fullDisks, wrongFolders } from "./disks.ts";
import { heldBytes } from "./held_bytes.ts";
import { floods, headers, stalls, vanishing, violations } from "./http2.ts";
import { idleSockets, slowBodies } from "./http_ports.ts";
import { kills } from "./kills.ts";
import { powerCuts } from "./power_cut.ts";
import { aborts } from "./restart.ts";
import { clocks, fillingDisks, races } from "./tested.ts";

export const ATTACKS: readonly Attack[] = [
  vanishing,
  violations,
  headers,
  stalls,
  floods,
  heldBytes,
  idleSockets,
  slowBodies,
  aborts,
  kills,
  powerCuts,
  flippedBits,
  fullDisks,
  fillingDisks,
  wrongFolders,
  clocks,
  races,
];
