import { deepEqual, equal } from "node:assert/strict";
import { inThisRun, isSame, type Replacements, withoutVarying } from "./sameness.ts";

const same = (shown: string, actual: string, values: Replacements = new Map()) =>
  isSame(shown === "" ? [] : shown.split("\n"), actual === "" ? [] : actual.split("\n"), values);

Deno.test("what differs from run to run is equal, and nothing else is", () => {
  equal(same("Expires:  2027-02-21", "Expires:  2026-01-02"), true);
  equal(same("Expires:  2027-02-21", "Expires:  never"), false);
  equal(same("evt_ba994a4c2165e5841fb421ccfeb8867b x", "evt_ea90748f7a8571dad6b866ffc82ac919 x"), true);
  equal(same("evt_ba994a4c2165e5841fb421ccfeb8867b x", "evt_ea90748f7a8571dad6b866ffc82ac919 y"), false);
  equal(same("a 12", "a 13"), false);
  equal(same("iat: 1795528515", "iat: 1795614915"), true);
  equal(same("alice", ""), false);
  equal(same("", "alice"), false);
});

Deno.test("columns may be wider than the page shows them", () => {
  equal(same("USER   ROLE", "USER     ROLE"), true);
  equal(same("USER ROLE", "USER  ROLE"), false);
});

Deno.test("an ellipsis is anything in a line, and any lines where it stands alone", () => {
  equal(same("took … here", "took a while here"), true);
  equal(same("took … here", "took a while there"), false);
  equal(same("a\n…\nd", "a\nb\nc\nd"), true);
  equal(same("…\nd", "d"), true);
  equal(same("a\n…", "b\nc"), false);
});

Deno.test("a value of the page stands for the one that was printed, in the commands that follow", () => {
  const values: Replacements = new Map();
  const [page, run] = ["evt_ba994a4c2165e5841fb421ccfeb8867b", "evt_ea90748f7a8571dad6b866ffc82ac919"];
  equal(same(`Token: ${page} until 2027-02-21`, `Token: ${run} until 2026-01-02`, values), true);
  equal(
    inThisRun(`curl -H "X-Vault-Token: ${page}" -d 2027-02-21`, values),
    `curl -H "X-Vault-Token: ${run}" -d 2026-01-02`,
  );
  equal(same("other", "line", values), false);
  equal(values.size, 2);
});

Deno.test("each kind of varying value has a name", () => {
  const kinds: readonly (readonly [text: string, kind: string])[] = [
    ["eyJ0eXAiOiJKV1Qi.eyJzZXNza.x_-1", "<jwt>"],
    ["hvs.CAESIJ8x0yT2kZ3q4w5e6r7t", "<token>"],
    ["01a20dd6-dd47-7c9c-92ea-d48063f24468", "<uuid>"],
    ["2026-11-23T23:02:32.576Z", "<moment>"],
    ["100.7 MB in 3.2 s", "<size> in <span>"],
    ["entity_8f63f244", "entity_<hex>"],
    ["33a25b2f6750871a", "<hex>"],
    ["get_public_key,decrypt_scores", "get_public_key,decrypt_scores"],
    ["6K2Crpo0_l27JsIzTKO8UveRaXrtejFz", "<base64>"],
    ["docs/SomeFolder/with1number/inside.md", "docs/SomeFolder/with1number/inside.md"],
  ];
  deepEqual(kinds.map(([text]) => withoutVarying(text)), kinds.map(([, kind]) => kind));
});
