import { Buffer } from "node:buffer";
import { equal, match, rejects } from "node:assert/strict";
import { scramVerifier } from "./scram.ts";

Deno.test("scramVerifier() is what PostgreSQL makes of RFC 7677's password and salt", async () => {
  const salt = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");
  equal(
    await scramVerifier("pencil", salt),
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
  );
});

Deno.test("scramVerifier() has another salt each time, and no quote", async () => {
  const [one, two] = [await scramVerifier("pencil"), await scramVerifier("pencil")];
  equal(one === two, false);
  match(one, /^[A-Za-z0-9$:+/=-]+$/);
});

Deno.test("scramVerifier() refuses what servers change before they hash it, and shows it to nobody", async () => {
  for (const password of ["pässwort", "pass\u00a0word", "\u2168", "tab\t"]) {
    await rejects(scramVerifier(password), (error: Error) => {
      equal(error.message, 'password_authentication "scram-sha-256" takes passwords of ASCII characters alone');
      return true;
    });
  }
  match(await scramVerifier(" ~"), /^SCRAM-SHA-256/);
});
