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

Deno.test("scramVerifier() refuses what SASLprep changes or prohibits, and shows it to nobody", async () => {
  // A space that isn't ASCII's, nothing at all, compatibility forms, what composes, a control, directions that are mixed.
  const passwords = ["pass\u00a0word", "I\u00adX", "\u2168", "\u00aa", "a\u0308", "tab\t", "\u0627\u0031", "\u0221"];
  for (const password of passwords) {
    await rejects(scramVerifier(password), (error: Error) => {
      equal(
        error.message,
        'password_authentication "scram-sha-256" takes no password that SASLprep (RFC 4013) changes or prohibits',
      );
      return true;
    });
  }
});

Deno.test("scramVerifier() takes what is the same before and after, whatever its letters", async () => {
  for (const password of [" ~", "päßwörter", "пароль", "密码", "naïve"]) {
    match(await scramVerifier(password), /^SCRAM-SHA-256/, password);
  }
});
