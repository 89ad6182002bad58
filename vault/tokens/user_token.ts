/**
 * The form of a user token and what is kept of it.
 *
 * @module
 */

import type { RandomSource } from "../ports.ts";
import type { UserToken } from "../state.ts";
import { sha256Hex } from "./token_digest.ts";

/** The longest token that is looked at; tokens made here have 36 characters, those of old files may be any text. */
export const MAX_TOKEN_LENGTH = 1024;

/** Draws a new user token: `evt_` and 32 lower-case hex digits (128 random bits). */
export function newUserToken(random: RandomSource): string {
  return `evt_${random.bytes(16).toHex()}`;
}

/** SHA-256 of a token as UTF-8, in lower-case hex: all that the vault keeps of it. */
export function hashToken(token: string): string {
  return sha256Hex(token);
}

/** Whether a token can be presented at this moment, its expiry aside. */
export function isUsable(token: UserToken, now: number): boolean {
  const { record, user } = token;
  return record.ended === undefined &&
    !user.disabled &&
    record.epoch === user.epoch &&
    (record.graceUntil === undefined || now < record.graceUntil);
}

/** Whether a token's last valid day is over. */
export function isExpired(token: UserToken, now: number): boolean {
  return token.record.expiresAt !== null && now >= token.record.expiresAt;
}
