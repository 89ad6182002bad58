/** What docs/cli-json.md says of `--json`, beside what every command prints: no field too few, none too many. */

import { deepEqual, equal, match } from "node:assert/strict";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { JSON_ANSWERS } from "../../cli/json_answers.ts";
import { serversAreThere, startPostgres, type TestServer, VAULT_PASSWORD, VAULT_USER } from "../database/_servers.ts";
import { ServedApi } from "../identity/_served.ts";
import { temporaryFolder } from "../started_server.ts";
import v1 from "../vectors/metadata-envelope-v1.json" with { type: "json" };
import { type AskOptions, JsonAnswers } from "./json_answers.ts";

/** They serve, or print a script or a page. */
const WITHOUT_ANSWER = ["serve", "completion", "man"];

type Ask = (command: string, args?: readonly string[], options?: AskOptions) => ReturnType<JsonAnswers["ask"]>;

async function tokensAndRoles(ask: Ask): Promise<void> {
  const role = ["--scope", "get_bundle", "--top-k", "3", "--rate-limit", "10/60s", "--cutoff-envelopes", "open"];
  await ask("role create", ["--name", "reader", ...role, "--policies", "default"]);
  await ask("role create", ["--name", "other", ...role]);
  await ask("role list");
  await ask("role show", ["--name", "reader"]);
  await ask("role update", ["--name", "reader", "--top-k", "4"]);
  await ask("role delete", ["--name", "other"]);
  await ask("token issue", ["--user", "alice", "--role", "reader"]);
  await ask("token rotate", ["--user", "alice", "--grace", "1m"]);
  await ask("token list");
  await ask("token show", ["--user", "alice"]);
}

async function usersAndOperators(ask: Ask, api: ServedApi): Promise<void> {
  for (const name of ["dana", "alice"]) await ask("user create", [name]);
  await api.operator("POST", "auth/userpass/users/fred", { password: "another password" });
  await api.operator("POST", "auth/userpass/login/fred", { password: "another password" });
  await ask("token issue", ["--user", "gerald", "--role", "reader"]);
  await ask("user link", ["gerald", "fred"]);
  await ask("user password", ["dana"]);
  for (let i = 0; i < 6; i++) await api.operator("POST", "auth/userpass/login/dana", { password: "wrong" });
  equal((await ask("user locked")).data.total, 1);
  await ask("user unlock", ["dana"]);
  await ask("user list");
  await ask("user show", ["alice"]);
  await ask("user disable", ["alice"]);
  await ask("user enable", ["alice"]);
  await ask("operator root revoke", [(await ask("operator init")).accessor]);
  await ask("operator init");
  await ask("operator root list");
  await ask("operator add", ["carol", "--scope", "read"]);
  await ask("operator list");
  await ask("operator rotate", ["carol"]);
  await ask("operator remove", ["carol"]);
}

async function policiesAndEntities(ask: Ask): Promise<void> {
  const stdin = `path "identity/oidc/token/*" { capabilities = ["read"] }`;
  await ask("policy write", ["tokens", "-"], { stdin });
  await ask("policy write", ["odd", "-"], { stdin: `path "a/{{identity.entity.alias.id}}" { capabilities = ["read"] }` });
  await ask("policy list");
  await ask("policy show", ["tokens"]);
  await ask("policy explain", ["identity/oidc/token/app", "--user", "alice"]);
  await ask("policy delete", ["odd"]);
  await ask("entity group list");
  for (const name of ["erin", "gina"]) await ask("entity create", [name, "--metadata", `email=${name}@example.org`]);
  await ask("entity update", ["erin", "--metadata", "floor=2"]);
  const { data: { id } } = await ask("entity alias create", ["erin", "erin"]);
  await ask("entity alias list");
  await ask("entity alias show", [id]);
  await ask("entity list");
  await ask("entity show", ["erin"]);
  await ask("entity group create", ["research", "--members", "erin", "--policies", "tokens"]);
  await ask("entity group list");
  await ask("entity group show", ["research"]);
  await ask("entity group delete", ["research"]);
  await ask("entity alias delete", [id]);
  await ask("entity merge", ["erin", "gina"]);
  await ask("entity delete", ["erin"]);
}

async function identityTokens(ask: Ask): Promise<void> {
  await ask("oidc key create", ["app", "--algorithm", "ES256", "--allowed-client-ids", "*"]);
  await ask("oidc key create", ["open", "--algorithm", "ES256"]);
  await ask("oidc key rotate", ["app"]);
  await ask("oidc key list");
  await ask("oidc key show", ["app"]);
  await ask("oidc key delete", ["open"]);
  await ask("oidc role list");
  await ask("oidc role create", ["app", "--key", "app"]);
  await ask("oidc role list");
  await ask("oidc role show", ["app"]);
  await ask("oidc role preview", ["app", "alice"]);
  await ask("user create", ["hugo", "--policies", "tokens"]);
  const { auth } = await ask("login", ["hugo"]);
  await ask("oidc token", ["app"], { token: auth.client_token });
  await ask("oidc role delete", ["app"]);
}

async function secretsAndFiles(ask: Ask, folder: string): Promise<void> {
  await ask("keys generate", ["--dim", "384"]);
  await ask("keys rotate");
  await ask("keys show", [], { promise: "`keys`, an array of `KeySetRow`" });
  await ask("keys show", ["vault-key"], { promise: "`KeySetRow`" });
  await ask("keys export", [`${folder}/keys`]);
  await ask("secret rotate");
  await ask("secret list");
  match(await ask("rewrap", [], { stdin: `${v1.cases[0]!.envelope}\n` }), /^\{"v":2,.*\}\n$/);
  await ask("file status");
  for (const verb of ["diff", "take", "discard"]) await ask(`file ${verb}`, ["roles"]);
  await ask("clock status");
  await ask("clock accept");
}

async function accessEnds(ask: Ask): Promise<void> {
  await ask("token revoke", ["--user", "alice"]);
  await ask("user cutoff", ["alice", "--reason", "laptop stolen"]);
  await ask("user restore", ["alice"]);
  await ask("secret rotate");
  await ask("secret retire", ["1"]);
}

async function upkeep(ask: Ask, folder: string): Promise<void> {
  for (const verb of ["tail", "query"]) {
    const lines = await ask(`audit ${verb}`, ["-n", "3"]);
    equal(lines.trim().split("\n").map((line: string) => JSON.parse(line)).length, 3, verb);
  }
  await ask("audit report", ["--user", "alice"]);
  await ask("audit verify");
  await ask("tls show");
  match(await ask("tls ca", [], { promise: "the certificate, as always" }), /^-----BEGIN CERTIFICATE-----/);
  await ask("tls renew", [], { promise: "`RenewedTlsBody`" });
  await ask("status");
  await ask("version");
  await ask("doctor");
  await ask("upgrade", ["--check"]);
  const identity = await generateX25519Identity();
  await Deno.writeTextFile(`${folder}/identity`, `${identity}\n`, { mode: 0o600 });
  await ask("backup", ["--recipient", await identityToRecipient(identity), `${folder}/vault.age`]);
}

/** On a data folder without a vault, or with one that is stopped. */
async function stopped(answers: JsonAnswers, folder: string): Promise<void> {
  const ask: Ask = (command, args, options) => answers.ask(`${folder}/restored`, command, args, { ...options, isProcess: true });
  await ask("restore", ["--identity", `${folder}/identity`, `${folder}/vault.age`]);
  await ask("tls show");
  await ask("tls issue");
  await ask("tls renew", [], { promise: "as `tls show`" });
  await ask("tls ca", ["--new"], { promise: "as `tls show`" });
  await ask("upgrade", ["--check"]);
  await ask("doctor", [], { exitCode: 1 });
  await ask("audit verify");
  await answers.ask(`${folder}/imported`, "keys import", [`${folder}/keys`], { isProcess: true });
  await Deno.mkdir(`${folder}/rune-vault`);
  const tokens = `tokens:\n  - user: alice\n    token: ${v1.cases[0]!.token}\n    role: member\n    created: '2026-03-20'\n`;
  await Deno.writeTextFile(`${folder}/rune-vault/vault-tokens.yml`, tokens);
  await answers.ask(`${folder}/taken-over`, "import rune-vault", [`${folder}/rune-vault`], { isProcess: true });
}

async function databases(ask: Ask, server: TestServer): Promise<void> {
  await ask("db enable");
  for (const noun of ["connection", "role", "static-role", "password-policy"]) await ask(`db ${noun} list`);
  await ask("lease list");
  const at = ["--plugin", "postgresql", "--url", server.url, "--username", VAULT_USER, "--allowed-roles", "*"];
  await ask("db connection write", ["main", ...at], { stdin: `${VAULT_PASSWORD}\n` });
  await ask("db connection reset", ["main"]);
  await ask("db connection list");
  await ask("db connection show", ["main"]);
  await ask("db password-policy write", ["long", "-"], { stdin: `length = 40\nrule "charset" { charset = "abcdef" }` });
  for (const verb of ["show", "generate"]) await ask(`db password-policy ${verb}`, ["long"]);
  await ask("db password-policy list");
  await ask("db password-policy delete", ["long"]);
  await ask("db role write", ["app", "--connection", "main", "--default-ttl", "1h", "--create", server.creation[0]!]);
  await ask("db role list");
  await ask("db role show", ["app"]);
  await databaseAccounts(ask);
  await ask("db role delete", ["app"]);
  await server.asVault("CREATE ROLE reports LOGIN PASSWORD 'of the beginning'");
  await ask("db static-role write", ["reports", "--connection", "main", "--username", "reports", "--rotation-period", "24h"]);
  await ask("db static-role list");
  for (const verb of ["show", "creds", "rotate", "delete"]) await ask(`db static-role ${verb}`, ["reports"]);
  await ask("db connection rotate-root", ["main"]);
  await ask("db connection delete", ["main"]);
}

async function withDatabase(ask: Ask): Promise<void> {
  await using server = await startPostgres();
  await databases(ask, server);
}

async function databaseAccounts(ask: Ask): Promise<void> {
  await ask("policy write", ["creds", "-"], { stdin: `path "database/creds/app" { capabilities = ["read"] }` });
  await ask("user create", ["ivan", "--policies", "creds"]);
  const { auth: { client_token: token } } = await ask("login", ["ivan"]);
  const { lease_id: lease } = await ask("db creds", ["app"], { token });
  equal((await ask("lease list")).data.leases.length, 1);
  await ask("lease show", [lease]);
  await ask("lease renew", [lease, "--increment", "30m"]);
  await ask("lease revoke", [lease]);
}

const isThere = await serversAreThere();

Deno.test({
  name: "every command prints with --json what docs/cli-json.md lists, and no more [apt install postgresql]",
  // The driver keeps what it has read of certificates.
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    await using folder = await temporaryFolder();
    await using api = await ServedApi.start({
      args: ["--tls", "auto"],
      env: { RUNEVAULT_TEAM_SECRET: v1.cases[0]!.team_secret },
    });
    const answers = new JsonAnswers();
    const ask: Ask = (command, args, options) => answers.ask(api.server.dataDir, command, args, options);
    await t.step("tokens and roles", () => tokensAndRoles(ask));
    await t.step("users and operators", () => usersAndOperators(ask, api));
    await t.step("policies and entities", () => policiesAndEntities(ask));
    await t.step("identity tokens", () => identityTokens(ask));
    await t.step("secrets and files", () => secretsAndFiles(ask, folder.path));
    await t.step("access that ends", () => accessEnds(ask));
    await t.step("upkeep", () => upkeep(ask, folder.path));
    await t.step("a stopped vault", () => stopped(answers, folder.path));
    await t.step({ name: "databases", ignore: !isThere, fn: () => withDatabase(ask) });
    await t.step("the page says so", async () => equal(await answers.complaints(), ""));
    const notAsked = Object.keys(JSON_ANSWERS).filter((command) => !answers.asked.has(command));
    const isExpected = (command: string) => !isThere && /^(db|lease) /.test(command);
    deepEqual(notAsked.filter((command) => !isExpected(command)), WITHOUT_ANSWER);
  },
});
