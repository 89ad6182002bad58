/**
 * Answers of the index against a search of all lines; the thread, the database and the files are real.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { Chain } from "../chain.ts";
import { GENESIS_HASH, parseLine, type StoredEntry } from "../entry.ts";
import { formerName } from "../trail_files.ts";
import { AuditIndex, type IndexQuery } from "./audit_index.ts";
import { scanLine } from "./entry_scan.ts";

const START = Date.UTC(2026, 2, 20);
const OPERATIONS = [
  "decrypt_metadata",
  "read token/lookup-self",
  "read database/creds/:name",
  "POST /tokens",
  ...Array.from({ length: 20 }, (_, i) => `list rare/${i}`),
];
/** As names may come from a login: with what JSON escapes, and with letters of several bytes. */
const PEOPLE = ["anna", 'b"en', "back\\slash", "zoë", "日本", "renamed", "renamed"];

function entryOf(n: number): string {
  const who = (n * 7) % (PEOPLE.length + 1);
  const isSomebody = who < PEOPLE.length;
  return JSON.stringify({
    time: new Date(START + n * 1000).toISOString(),
    request_id: String(n),
    face: "api",
    operation: OPERATIONS[n % 3 === 0 ? n % OPERATIONS.length : n % 2],
    decision: n % 5 === 0 ? "refused" : "allowed",
    ...(n % 5 === 0 ? { error: "not_found" } : {}),
    ...(isSomebody ? { user: PEOPLE[who] } : {}),
    ...(n % 11 === 0 ? { unverified_sudo_user: "root" } : {}),
    ...(isSomebody && who > 0 ? { entity_id: `entity-${who}` } : {}),
    resource: { path: `a,"user":"anna","entity_id":"entity-3" ${n}` },
  });
}

/** A trail of three files, the middle one packed by another program. */
async function writeTrail(folder: string, count: number): Promise<string[]> {
  const chain = new Chain({ sequence: 0, hash: GENESIS_HASH, key: new Uint8Array(32) });
  const lines = Array.from({ length: count }, (_, n) => chain.append(entryOf(n)));
  const third = Math.floor(count / 3);
  const parts = [lines.slice(0, third), lines.slice(third, 2 * third), lines.slice(2 * third)];
  for (const [i, part] of parts.entries()) {
    const text = part.map((line) => `${line}\n`).join("");
    const name = i === 2 ? "audit.log" : formerName("audit.log", (i + 1) * third);
    if (i !== 1) await Deno.writeTextFile(`${folder}/${name}`, text);
    else {
      const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
      await Deno.writeFile(`${folder}/${name}.gz`, packed);
    }
  }
  return lines;
}

type Query = Omit<IndexQuery, "limit"> & { readonly limit?: number };

function searched(all: readonly StoredEntry[], query: Query): number[] {
  const { user, entityId, since = 0, until = Infinity, operation, limit = Infinity, isNewest } = query;
  const meant = new Set(all.filter((entry) => entry.user === user).map((entry) => entry.entity_id ?? entry.user));
  const found = all.filter((entry) => {
    const who = entry.entity_id ?? entry.user;
    const at = Date.parse(entry.time);
    return (user === undefined || who === user || who !== undefined && meant.has(who)) &&
      (entityId === undefined || who === entityId) &&
      (operation === undefined || entry.operation === operation || entry.operation.split(" ").includes(operation)) &&
      at >= since && at < until;
  }).map(({ seq }) => seq);
  return isNewest ? found.slice(-Math.min(limit, found.length)) : found.slice(0, limit);
}

async function withTrail(count: number, use: (index: AuditIndex, lines: string[], folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir({ prefix: "runevault-test-index-" });
  const index = new AuditIndex(`${folder}/audit.db`, `${folder}/audit.log`);
  try {
    await use(index, await writeTrail(folder, count), folder);
  } finally {
    await index.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function found(index: AuditIndex, query: Query): Promise<string[]> {
  return (await Array.fromAsync(index.pages(query))).flat();
}

Deno.test("each question finds what a search of all lines finds, in their order", async () => {
  await withTrail(3000, async (index, lines) => {
    const all = lines.map(parseLine);
    const users = [undefined, ...PEOPLE, "entity-3", "nobody"];
    const operations = [
      undefined,
      "read",
      "list",
      "POST",
      "POST /tokens",
      "list rare/3",
      "decrypt_metadata",
      "nothing",
    ];
    const times = [{}, { since: START + 1_000_000 }, { since: START + 500_000, until: START + 2_000_000 }];
    const limits = [{}, { limit: 7 }, { limit: 7, isNewest: true }, { limit: 5000, isNewest: true }];
    for (const user of users) {
      for (const operation of operations) {
        const query = {
          user,
          operation,
          ...times[operations.indexOf(operation) % 3],
          ...limits[users.indexOf(user) % 4],
        };
        deepEqual(
          (await found(index, query)).map((line) => parseLine(line).seq),
          searched(all, query),
          JSON.stringify(query),
        );
      }
    }
    for (const time of times) {
      for (const limit of limits) {
        const query = { entityId: "entity-5", operation: "read", ...time, ...limit };
        deepEqual((await found(index, query)).map((line) => parseLine(line).seq), searched(all, query));
      }
    }
    deepEqual(await found(index, {}), lines);
  });
});

Deno.test("a name that meant hundreds finds the entries of them all", async () => {
  const folder = await Deno.makeTempDir({ prefix: "runevault-test-index-" });
  const index = new AuditIndex(`${folder}/audit.db`, `${folder}/audit.log`);
  try {
    const chain = new Chain({ sequence: 0, hash: GENESIS_HASH, key: new Uint8Array(32) });
    const entry = (n: number) => entryOf(5).replace(/"entity_id":"[^"]*"/, `"entity_id":"one-${n}"`);
    const lines = Array.from({ length: 1200 }, (_, n) => `${chain.append(entry(n % 600))}\n`);
    await Deno.writeTextFile(`${folder}/audit.log`, lines.join(""));
    const { user } = JSON.parse(entryOf(5));
    equal((await found(index, { user })).length, 1200);
    equal((await found(index, { user, operation: JSON.parse(entryOf(5)).operation, limit: 7 })).length, 7);
    equal((await found(index, { user: "one-5" })).length, 2);
  } finally {
    await index.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an index of another version, and one that is none, are made anew", async () => {
  await withTrail(300, async (index, lines, folder) => {
    await Deno.writeTextFile(`${folder}/audit.db`, "no database");
    equal(await index.catchUp(), 300);
    equal(await index.catchUp(), 0);
    equal((await found(index, { user: "anna" })).length, searched(lines.map(parseLine), { user: "anna" }).length);
  });
});

const MONTH_99 = '"time":"2026-99';

Deno.test("lines that are none are left out, those around them are found", async () => {
  await withTrail(300, async (index, lines, folder) => {
    const path = `${folder}/audit.log`;
    const last = lines.slice(200);
    // Some altered where the index looks, one where it doesn't, one that isn't UTF-8.
    last[10] = last[10]!.replace('{"seq":', '{"sek":');
    last[15] = last[15]!.replace(/"time":"[0-9]{4}-[0-9]{2}/, MONTH_99);
    last[16] = last[16]!.replace(/^\{"seq":[0-9]+/, '{"seq":9007199254740993');
    last[20] = last[20]!.slice(0, -3) + "!!!";
    const bytes = new TextEncoder().encode(last.map((line) => `${line}\n`).join(""));
    bytes[bytes.indexOf(0x0a, 5000) + 40] = 0xff;
    await Deno.writeFile(path, bytes);
    const seqs = (await found(index, {})).map((line) => parseLine(line).seq);
    ok(seqs.length >= 295 && seqs.length < 298, `${seqs.length}`);
    deepEqual(seqs.filter((seq) => [211, 216, 217, 221].includes(seq)), []);
    deepEqual(seqs.slice(-50), Array.from({ length: 50 }, (_, i) => 251 + i));
  });
});

Deno.test("what is found at the beginning of a line is what its JSON says", () => {
  const chain = new Chain({ sequence: 0, hash: GENESIS_HASH, key: new Uint8Array(32) });
  for (let n = 0; n < 500; n++) {
    const line = chain.append(entryOf(n));
    const { seq, time, operation, user, entity_id } = parseLine(line);
    deepEqual(scanLine(line), { seq, time, operation, user, entityId: entity_id });
    equal(scanLine(line.replace(/"time":"[0-9]{4}-[0-9]{2}/, MONTH_99)), null);
  }
  for (const line of ["", "{}", '{"seq":1,"time":"x"}', "null", '{"seq":1,"user":']) equal(scanLine(line), null);
});
