/**
 * The command line's arguments, through `run()` as `main.ts` calls it, on a machine where no server can be reached.
 *
 * @module
 */

import fc from "fast-check";
import { run } from "../../../cli/mod.ts";
import { fakeIo } from "../../fakes/io.ts";
import { anyText, AWKWARD_TEXT } from "../mutations.ts";
import { assertShowsNoSecret, must, PLANTED } from "../refusals.ts";
import { asyncTarget, type FuzzTarget } from "../target.ts";

/** A path that no program can make or open anything below. */
const NOWHERE = "/dev/null/runevault";

/** All but those that read and write whatever folders they are given: `backup`, `restore`, `import`. */
const NOUNS = [
  "token",
  "role",
  "user",
  "secret",
  "keys",
  "file",
  "rewrap",
  "status",
  "version",
  "completion",
  "complete",
  "serve",
  "login",
  "policy",
  "entity",
  "oidc",
  "db",
  "lease",
  "operator",
  "audit",
  "tls",
  "doctor",
  "upgrade",
  "clock",
  "man",
];
const VERBS = [
  "issue",
  "rotate",
  "revoke",
  "list",
  "show",
  "create",
  "update",
  "delete",
  "disable",
  "enable",
  "retire",
  "generate",
  "import",
  "export",
  "diff",
  "take",
  "discard",
  "status",
  "query",
  "report",
  "verify",
  "tail",
  "write",
  "add",
  "accept",
  "renew",
  "creds",
  "bash",
  "zsh",
  "fish",
  "help",
];
const FLAGS = [
  "--user",
  "--role",
  "--expires",
  "--grace",
  "--name",
  "--scope",
  "--top-k",
  "--rate-limit",
  "--dim",
  "--key-id",
  "--output",
  "--json",
  "--help",
  "-h",
  "--version",
  "-V",
  "--admin-addr",
  "--admin-socket",
  "--data-dir",
  "--tls-hostname",
  "--fhe-dim",
  "--dev",
  "--since",
  "--until",
  "--address",
  "--method",
  "--",
  "-",
];
const VALUES = [
  "alice",
  "member",
  "90d",
  "10m",
  "30/60s",
  "10",
  "-1",
  "1e3",
  "get_public_key,decrypt_scores",
  "127.0.0.1:1",
  "[::1]:1",
  "0.0.0.0:1",
  NOWHERE,
  "/dev/null",
  "/",
  ".",
  "",
  "roles",
  "tokens",
  "1024",
];

/** Whole commands that get as far as looking for the server. */
const COMMANDS: readonly (readonly string[])[] = [
  ["token", "issue", "--user", "alice", "--role", "member", "--expires", "90d"],
  ["token", "rotate", "--user", "alice", "--grace", "10m"],
  ["token", "revoke", "--user", "alice"],
  ["token", "list"],
  ["role", "create", "--name", "r", "--scope", "get_dek", "--top-k", "3", "--rate-limit", "1/1s"],
  ["role", "update", "--name", "r", "--top-k", "3"],
  ["user", "show", "alice"],
  ["secret", "retire", "1"],
  ["keys", "generate", "--dim", "384"],
  ["keys", "import", "/dev/null"],
  ["keys", "show", "vault-key"],
  ["keys", "export", NOWHERE],
  ["file", "take", "roles"],
  ["rewrap", "/dev/null", "--output", NOWHERE],
  ["status"],
  ["version"],
  ["completion", "bash"],
  ["complete", "token", "issue", "--user", "al"],
  ["policy", "write", "app", "/dev/null"],
  ["entity", "show", "alice"],
  ["oidc", "key", "list"],
  ["db", "creds", "app"],
  ["lease", "list"],
  ["operator", "add", "ci", "--scope", "read"],
  ["audit", "query", "--user", "alice", "--since", "24h"],
  ["audit", "verify", "/dev/null"],
  ["login", "alice", "--address", "http://127.0.0.1:1"],
  ["clock", "accept"],
  ["tls", "renew"],
  ["doctor"],
  ["upgrade"],
  ["man"],
  ["serve", "--tls", "off", "--fhe-dim", "384"],
];

/** What a shell can hand over: no NUL, no half of a character. */
const word = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...NOUNS, ...VERBS) },
  { weight: 6, arbitrary: fc.constantFrom(...FLAGS) },
  { weight: 6, arbitrary: fc.constantFrom(...VALUES) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom(...FLAGS), fc.constantFrom(...VALUES)).map(([f, v]) => `${f}=${v}`),
  },
  { weight: 3, arbitrary: anyText(20, [...AWKWARD_TEXT, ...FLAGS, "="]) },
  { weight: 1, arbitrary: fc.tuple(anyText(8), fc.nat({ max: 6000 })).map(([piece, times]) => piece.repeat(times)) },
).map((text) => text.toWellFormed().replaceAll("\0", ""));

const edited = fc.tuple(
  fc.constantFrom(...COMMANDS),
  fc.array(fc.record({ at: fc.nat(), drop: fc.nat({ max: 1 }), insert: fc.array(word, { maxLength: 2 }) }), {
    maxLength: 3,
  }),
).map(([command, edits]) =>
  edits.reduce<readonly string[]>(
    (args, { at, drop, insert }) => args.toSpliced(at % (args.length + 1), drop, ...insert),
    command,
  )
);

/** Arguments. */
export const target: FuzzTarget = asyncTarget(
  "command_line",
  "json",
  fc.oneof({ weight: 3, arbitrary: edited }, { weight: 2, arbitrary: fc.array(word, { maxLength: 8 }) }),
  check,
);

const OPENERS = ["serve", "keys", "tls", "doctor", "upgrade", "audit"];

/** What moves a terminal's cursor or turns its text around; a message ends its lines and does no more. */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

async function check(args: readonly string[]): Promise<void> {
  const io = fakeIo({ env: { RUNEVAULT_DATA_DIR: NOWHERE, HOME: NOWHERE, RUNEVAULT_TEAM_SECRET: PLANTED.teamSecret } });
  const code = await run(withoutServer(args), io);
  const says = io.stderr();
  // 78 is for a start that is refused, and for whoever opens a data folder themselves.
  const expected = OPENERS.some((noun) => args.includes(noun)) ? [0, 1, 2, 78] : [0, 1, 2];
  must(expected.includes(code), `exit code ${code}`);
  must(code === 0 || says !== "", "failed without a word");
  must(!/unexpected failure|"kind":"internal"/i.test(says), `an error that nobody foresaw: ${says}`);
  must(!CONTROLS.test(says), `controls on the terminal: ${JSON.stringify(says)}`);
  assertShowsNoSecret("the output", io.stdout() + says);
}

/**
 * No command may find a data folder, and `serve` no configuration. Each is given twice: the word before the first may
 * be an option that takes it for its value. The last of each counts.
 */
function withoutServer(args: readonly string[]): string[] {
  const folder = `--data-dir=${NOWHERE}`;
  const more = args.includes("serve") ? [`--config=${NOWHERE}`, `--config=${NOWHERE}`] : [];
  return [...args, folder, folder, ...more];
}
