/**
 * Which passwords and hashes are taken.
 */

import { deepEqual, doesNotThrow, equal, throws } from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { ARGON2, assertImportable, assertPassword, bcryptCost, dummiesAfter, isTryable } from "./password_hash.ts";

const TAIL = "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
/** Of the first costs. */
const OLDER_HASH = `$argon2id$v=19$m=19456,t=2,p=1$${"A".repeat(22)}$${"A".repeat(43)}`;
const ARGON2_HASH = `$argon2id$v=19$m=19456,t=5,p=1$${"A".repeat(22)}$${"A".repeat(43)}`;

Deno.test("passwords are hashed by one of the settings of Argon2id that OWASP names as the least", () => {
  const { iterations, memorySize, parallelism, hashLength } = ARGON2;
  const named: readonly (readonly [mebibytes: number, passes: number])[] = [[46, 1], [19, 2], [12, 3], [9, 4], [7, 5]];
  const isNamed = named.some(([mebibytes, passes]) => memorySize >= mebibytes * 1024 && iterations >= passes);
  equal(isNamed && parallelism === 1 && hashLength >= 32, true);
});

Deno.test("bcrypt hashes of every name and of costs that end in time are taken over, others not", () => {
  for (const hash of [`$2a$05$${TAIL}`, `$2b$10$${TAIL}`, `$2y$14$${TAIL}`]) doesNotThrow(() => assertImportable(hash));
  const bad = [
    `$2b$04$${TAIL}`,
    `$2b$15$${TAIL}`,
    `$2b$31$${TAIL}`,
    `$2x$10$${TAIL}`,
    `$2$10$${TAIL}`,
    `$2b$10$${TAIL}x`,
    `$2b$10$${TAIL.slice(1)}`,
    `$2b$10$${TAIL.replace("E", "!")}`,
    `$2b$10$${TAIL}\n`,
    ARGON2_HASH,
    "",
  ];
  for (const hash of bad) throws(() => assertImportable(hash), refused("invalid_argument", /not a bcrypt hash$/), hash);
});

Deno.test("passwords have 1 to 1024 bytes of well-formed text, and no refusal echoes one", () => {
  for (const password of ["x", "ü".repeat(512), "correct horse", "\0"]) doesNotThrow(() => assertPassword(password));
  for (const password of ["", "x".repeat(1025), "ü".repeat(513), "geheim\ud800"]) {
    throws(() => assertPassword(password), (error: Error) => {
      return refused("invalid_argument")(error) && (password === "" || !error.message.includes(password.slice(0, 6)));
    });
  }
});

Deno.test("S13: a hash of other memory is made up for by its work; one that took more asks for nothing", () => {
  const passes = (memory: number, time: number) =>
    dummiesAfter(`$argon2id$v=19$m=${memory},t=${time},p=1$${"A".repeat(22)}$${"A".repeat(43)}`, undefined)
      .map((text) => /,t=([0-9]+),/.exec(text)![1]);
  deepEqual([passes(9216, 4), passes(19_456, 4), passes(19_456, 5), passes(65_536, 3)], [["3"], ["1"], [], []]);
});

Deno.test("bcrypt looks at 72 bytes, so a longer password is never tried against it", () => {
  const bcrypt = `$2b$10$${TAIL}`;
  equal(bcryptCost(bcrypt), 10);
  equal(bcryptCost(ARGON2_HASH), undefined);
  equal(isTryable("x".repeat(72), bcrypt), true);
  equal(isTryable("x".repeat(73), bcrypt), false);
  equal(isTryable("ü".repeat(37), bcrypt), false);
  equal(isTryable("x".repeat(1024), ARGON2_HASH), true);
  equal(isTryable("x".repeat(1025), ARGON2_HASH), false);
});

Deno.test("S13: whatever was tried, a failure costs one Argon2id and the slowest bcrypt in use", () => {
  const passes = (text: string) => Number(/^\$argon2id\$v=19\$m=19456,t=([0-9]+),p=1\$/.exec(text)?.[1] ?? 0);
  const bcryptWork = (text: string) => 2 ** (bcryptCost(text) ?? -Infinity);
  const sum = (hashes: readonly string[], count: (text: string) => number) =>
    hashes.reduce((total, hash) => total + count(hash), 0);
  for (const highest of [undefined, 5, 9, 14]) {
    const lower = [5, 7, 9, 14].filter((cost) => highest !== undefined && cost <= highest);
    const bcrypts = lower.map((cost) => `$2b$${String(cost).padStart(2, "0")}$${"a".repeat(53)}`);
    for (const tried of [undefined, ARGON2_HASH, OLDER_HASH, ...bcrypts]) {
      const all = [...(tried === undefined ? [] : [tried]), ...dummiesAfter(tried, highest)];
      deepEqual(
        [sum(all, passes), sum(all, bcryptWork)],
        [ARGON2.iterations, highest === undefined ? 0 : 2 ** highest],
        `${tried}`,
      );
    }
  }
});
