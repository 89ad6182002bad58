import { deepEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { VaultError } from "../../vault/mod.ts";
import { parseEnvFile } from "./env_file.ts";

const parse = (text: string) => Object.fromEntries(parseEnvFile(".env", text));

Deno.test("names, quotes, comments and `export` are read as Compose and shells read them", () => {
  const text = `# a comment
VAULT_TEAM_SECRET='it has # and spaces '
export ENVECTOR_ENDPOINT=cloud.example:443   # ours
VAULT_INDEX_NAME = "team"
EMPTY=
VAULT_INDEX_NAME=last
`;
  deepEqual(parse(text), {
    VAULT_TEAM_SECRET: "it has # and spaces ",
    ENVECTOR_ENDPOINT: "cloud.example:443",
    VAULT_INDEX_NAME: "last",
    EMPTY: "",
  });
});

Deno.test("a line that is none is named by its number, and what stands in it is not shown", () => {
  throws(() => parse("A=1\nhunter2 is my secret"), (error: Error) => {
    return error instanceof VaultError && error.message === ".env, line 2 is no NAME=value";
  });
});

Deno.test("any text is read or refused", () => {
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => {
    try {
      parse(text);
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
    }
  }));
});
