/**
 * Every attack, in the order in which they are laid.
 *
 * @module
 */

import type { Attack } from "./attack.ts";
import { kills } from "./kills.ts";

export const ATTACKS: readonly Attack[] = [kills];
