/**
 * For tests of what is recorded elsewhere: faces without a trail.
 *
 * @module
 */

import { UNRECORDED } from "../../vault/audit/trail.ts";

const hash = (value: string) => `hmac of ${value.length} letters`;

/** What the faces ask of a trail. */
export const NO_AUDIT = { audit: UNRECORDED, hashValue: hash, auditNames: { isToken: () => false, hash } };
