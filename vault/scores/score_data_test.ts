import { deepEqual, equal, throws } from "node:assert/strict";
import { scoreData, type ScoreHeader } from "../../tests/fakes/score_ciphertexts.ts";
import { refused, vectorBytes, vectorJson } from "./_test_support.ts";
import { DEGREE, POLY_BYTES } from "./params.ts";
import { blockOffsets, readScoreData } from "./score_data.ts";
import { decodeScoreMessage } from "./score_message.ts";

const bad = (message: RegExp) => refused("invalid_argument", message);

function dataOf(header: ScoreHeader, polynomials: number): Uint8Array {
  return scoreData(header, [new Uint8Array(polynomials * POLY_BYTES)]);
}

Deno.test("readScoreData() reads the recorded header", () => {
  const [entry] = decodeScoreMessage(vectorBytes("ip300.pb"));
  const { level, rows, blocks, bytes } = readScoreData(entry!.data, "Entry 0");
  const vector = vectorJson<{ a_first4: string[]; b_first4: string[] }>("ip300.intermediate.json");
  deepEqual([level, rows, blocks], [0, 300, 1]);
  const { aQ, bQ } = blockOffsets({ level, rows, blocks, bytes }, 0);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const firstFour = (offset: number) => [0, 8, 16, 24].map((i) => String(view.getBigUint64(offset + i, true)));
  deepEqual([firstFour(aQ), firstFour(bQ)], [vector.a_first4, vector.b_first4]);
});

Deno.test("readScoreData() counts blocks from n and places all a parts before all b parts", () => {
  const cases = [[0, 0], [1, 1], [4095, 1], [4096, 1], [4097, 2], [10_000, 3]] as const;
  for (const [rows, blocks] of cases) {
    equal(readScoreData(dataOf({ rows }, 2 * blocks), "Entry 0").blocks, blocks);
    equal(readScoreData(dataOf({ rows, level: 1 }, 4 * blocks), "Entry 0").blocks, blocks);
  }
  const data = readScoreData(dataOf({ rows: 3 * DEGREE, level: 1 }, 12), "Entry 0");
  const polys = (block: number) => Object.values(blockOffsets(data, block)).map((at) => (at - 33) / POLY_BYTES);
  deepEqual([0, 1, 2].map(polys), [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]);
});

Deno.test("readScoreData() refuses every other header and length", () => {
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(32), /fewer than a header/],
    [dataOf({ rows: 1, kind: 1 }, 2), /result kind 1/],
    [dataOf({ rows: 1, kind: 255 }, 2), /result kind 255/],
    [dataOf({ rows: 1, level: 2 }, 4), /level 2/],
    [dataOf({ rows: 1, level: -1 }, 2), /level -1/],
    [dataOf({ rows: 1, degree: 2048 }, 2), /degree 2048/],
    [dataOf({ rows: 1, degree: 2n ** 40n + 4096n }, 2), /degree/],
    [dataOf({ rows: 1 }, 1), /expected 65569/],
    [dataOf({ rows: 1 }, 3), /expected 65569/],
    [dataOf({ rows: 1, level: 1 }, 2), /expected 131105/],
    [dataOf({ rows: 4097 }, 2), /expected 131105/],
    [dataOf({ rows: 0 }, 2), /expected 33/],
    [dataOf({ rows: 2n ** 40n }, 2), /for 1099511627776 rows/],
    [dataOf({ rows: 2n ** 64n - 1n }, 2), /bytes of data, expected/],
    [dataOf({ rows: 1 }, 2).subarray(0, -1), /65568 bytes of data/],
    [scoreData({ rows: 1 }, [new Uint8Array(2 * POLY_BYTES + 1)]), /65570 bytes of data/],
  ];
  for (const [bytes, problem] of cases) throws(() => readScoreData(bytes, "Entry 0"), bad(problem), `${problem}`);
  throws(() => readScoreData(decodeScoreMessage(vectorBytes("bad_tag.pb"))[0]!.data, "Entry 0"), bad(/kind 1/));
});
