/**
 * `./denow task demo`: the main job from end to end, with a real server, the real command line and a real gRPC client.
 *
 * @module
 */

import { create } from "@bufbuild/protobuf";
import { credentials, makeClientConstructor, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { Identity, IssueIdentityTokenRequestSchema } from "../proto/gen/runevault/v1/identity_pb.ts";
import { Metadata as MetadataService, SealMetadataRequestSchema } from "../proto/gen/runevault/v1/metadata_pb.ts";
import { DecryptMetadataRequestSchema, VaultService } from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { grpcDefinition } from "../server/grpc/definition.ts";
import { runProgram, StartedServer } from "../tests/started_server.ts";

const VaultClient = makeClientConstructor(grpcDefinition(VaultService), "VaultService");
const MetadataClient = makeClientConstructor(grpcDefinition(MetadataService), "Metadata");
const IdentityClient = makeClientConstructor(grpcDefinition(Identity), "Identity");

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Shows a command, runs it, shows what it printed. */
async function runevault(server: StartedServer, ...args: string[]): Promise<string> {
  say(`\n$ runevault ${args.map(quoted).join(" ")}`);
  const { stdout, stderr } = await runProgram([...args, "--data-dir", server.dataDir]);
  say((stdout + stderr).trimEnd());
  return stdout;
}

/** As a shell wants it. */
function quoted(arg: string): string {
  return /^[\w./:=,@-]+$/.test(arg) ? arg : `'${arg}'`;
}

async function issue(server: StartedServer, user: string): Promise<string> {
  const printed = await runevault(server, "token", "issue", "--user", user, "--role", "member", "--expires", "90d");
  return /evt_[0-9a-f]{32}/.exec(printed)![0];
}

type Answered<T> = (error: ServiceError | null, answer: T) => void;

function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

function mint(address: string, token: string, role: string): Promise<string> {
  const client = new IdentityClient(address, credentials.createInsecure());
  return new Promise((resolve, reject) => {
    const answered: Answered<{ token: string }> = (error, answer) => {
      client.close();
      if (error === null) resolve(answer.token);
      else reject(error);
    };
    client["issueIdentityToken"]!(create(IssueIdentityTokenRequestSchema, { role }), bearer(token), answered);
  });
}

function seal(address: string, token: string, plaintext: string): Promise<string> {
  const client = new MetadataClient(address, credentials.createInsecure());
  return new Promise((resolve, reject) => {
    const answered: Answered<{ envelopes: string[] }> = (error, answer) => {
      client.close();
      if (error === null) resolve(answer.envelopes[0]!);
      else reject(error);
    };
    client["sealMetadata"]!(create(SealMetadataRequestSchema, { plaintexts: [plaintext] }), bearer(token), answered);
  });
}

function open(address: string, token: string, envelope: string): Promise<string> {
  const client = new VaultClient(address, credentials.createInsecure());
  return new Promise((resolve, reject) => {
    const answered: Answered<{ decryptedMetadata: string[] }> = (error, answer) => {
      client.close();
      if (error === null) resolve(answer.decryptedMetadata[0]!);
      else reject(error);
    };
    const request = create(DecryptMetadataRequestSchema, { token, encryptedMetadataList: [envelope] });
    client["decryptMetadata"]!(request, answered);
  });
}

async function refusalOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    throw new Error("the call should have been refused");
  } catch (error) {
    const { code, details } = error as ServiceError;
    return `${status[code]}: ${details}`;
  }
}

say("A vault starts: a fresh data folder, free ports, plaintext on loopback.");
await using server = await StartedServer.start();
const grpc = server.addresses.grpc!;
say(`gRPC on ${grpc}, data in a temporary folder`);

const alice = await issue(server, "alice");
const bob = await issue(server, "bob");

say("\nalice seals a note under her own key; the key never leaves the vault:");
const envelope = await seal(grpc, alice, '{"text":"the launch code is 0000"}');
say(envelope);

say("\nbob may open it, for his role holds decrypt_metadata:");
say(await open(grpc, bob, envelope));

say("\nOther services know her by a signed token that her agent asks for:");
await Deno.writeTextFile(
  `${server.dataDir}/agents.hcl`,
  'path "identity/oidc/token/app" { capabilities = ["read"] }\n',
);
await runevault(server, "policy", "write", "agents", `${server.dataDir}/agents.hcl`);
await runevault(server, "role", "update", "--name", "member", "--policies", "agents");
await runevault(server, "oidc", "key", "create", "app", "--algorithm", "EdDSA", "--allowed-client-ids", "*");
await runevault(
  server,
  "oidc",
  "role",
  "create",
  "app",
  "--key",
  "app",
  "--template",
  '{"name": {{identity.entity.name}}}',
);
const jwt = await mint(grpc, alice, "app");
say(`\n${jwt}\nwhich says: ${atob(jwt.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/"))}\n`);

await runevault(server, "token", "list");
await runevault(server, "token", "revoke", "--user", "alice");

say("\nalice asks once more:");
say(await refusalOf(open(grpc, alice, envelope)));
say(await refusalOf(mint(grpc, alice, "app")));

say("\nWhat she wrote stays readable for the team:");
say(await open(grpc, bob, envelope));
say("\nThe vault stops, and its folder is removed.");
