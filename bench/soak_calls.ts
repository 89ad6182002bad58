/**
 * The calls that a soak mixes: what agents, services and operators ask of a vault, over gRPC, the identity API and the
 * admin socket.
 *
 * @module
 */

import { status } from "@grpc/grpc-js";
import { type AdminHttp, type Ended, VaultClient } from "../tests/clients.ts";
import { scoreBlob, ScoreEncryptor } from "../tests/fakes/score_ciphertexts.ts";
import { seededRandom } from "../tests/fakes/seeded_random.ts";
import type { ServedApi } from "../tests/identity/_served.ts";
import { readSecretKeyFile } from "../vault/scores/mod.ts";
import { seededToken } from "./seed_store.ts";

/** One kind of call, and how many of a thousand calls are of it. */
export interface SoakCall {
  readonly name: string;
  readonly weight: number;
  /** Throws where the answer is another than expected. */
  readonly run: (turn: number) => Promise<void>;
}

const CONNECTIONS = 4;
const ENVELOPES = 10;
const SCORE_ROWS = 4096;
/** The key set that the vault takes over, so that there are ciphertexts to send. */
const KEY_FILES = new URL("../tests/vectors/fhe/", import.meta.url);
const DIMENSION = 1024;

/** What is called. */
export interface SoakTargets {
  readonly api: ServedApi;
  readonly admin: AdminHttp;
  /** Users of the seeded store. */
  readonly users: number;
}

/** Prepares a vault and returns its mix; dispose of it at the end. */
export async function soakMix(targets: SoakTargets): Promise<{ calls: readonly SoakCall[] } & Disposable> {
  const clients = Array.from({ length: CONNECTIONS }, () => VaultClient.of(targets.api.server));
  const calls = [...await agentCalls(clients, targets), ...await serviceCalls(targets.api), ...operatorCalls(targets)];
  return {
    calls,
    [Symbol.dispose]: () => {
      for (const client of clients) client[Symbol.dispose]();
    },
  };
}

async function agentCalls(clients: readonly VaultClient[], { admin, users }: SoakTargets): Promise<SoakCall[]> {
  const client = (turn: number) => clients[turn % clients.length]!;
  const token = (turn: number) => seededToken(turn % users);
  const sealed = (await clients[0]!.seal(seededToken(0), texts())).message!.envelopes;
  const blob = await scores(admin);
  return [
    { name: "GetAgentManifest", weight: 100, run: (turn) => ok(client(turn).manifest(token(turn))) },
    { name: "GetPublicKey", weight: 1, run: (turn) => ok(client(turn).publicKey(token(turn))) },
    { name: "DecryptMetadata", weight: 300, run: (turn) => ok(client(turn).open(token(turn), sealed)) },
    { name: "SealMetadata", weight: 151, run: (turn) => ok(client(turn).seal(token(turn), texts())) },
    { name: "DecryptScores", weight: 20, run: (turn) => ok(client(turn).scores(token(turn), blob, 10)) },
    { name: "Health/Check", weight: 20, run: (turn) => ok(client(turn).health()) },
    {
      name: "refused token",
      weight: 50,
      run: async (turn) => {
        const { code } = await client(turn).manifest(`evt_${"f".repeat(32)}`);
        if (code !== status.UNAUTHENTICATED) throw new Error(`a token of nobody's: ${status[code]}`);
      },
    },
  ];
}

async function ok(call: Promise<Ended<unknown>>): Promise<void> {
  const { code, details } = await call;
  if (code !== status.OK) throw new Error(`${status[code]}: ${details}`);
}

function texts(): string[] {
  return Array.from({ length: ENVELOPES }, (_, i) => `${i} `.repeat(200));
}

/** Scores under keys that the vault takes over here. */
async function scores(admin: AdminHttp): Promise<string> {
  const [secKey, encKey] = await Promise.all(
    ["SecKey.json", "EncKey.json"].map((name) => Deno.readTextFile(new URL(name, KEY_FILES))),
  );
  await admin.expect("POST", "/keys/import", { sec_key: secKey, enc_key: encKey });
  const { secretKey } = readSecretKeyFile(secKey!);
  const encryptor = new ScoreEncryptor(secretKey.coefficients(), DIMENSION, seededRandom("soak ciphertexts"));
  return scoreBlob([encryptor.encryptScores(Float64Array.from({ length: SCORE_ROWS }, (_, i) => Math.sin(i)))]);
}

async function serviceCalls(api: ServedApi): Promise<SoakCall[]> {
  const user = await makeLogin(api);
  const expect = async (method: string, path: string, token: string | undefined, body?: unknown) => {
    const answered = await api.call(method, path, token, body);
    if (answered.status >= 300) throw new Error(`${method} ${path}: ${answered.status}`);
    return answered.body;
  };
  const logInAndOut = async () => {
    const { auth } = await expect("POST", "auth/userpass/login/alice", undefined, { password: "correct horse" });
    await expect("POST", "auth/token/revoke-self", auth.client_token);
  };
  return [
    { name: "lookup-self", weight: 250, run: () => expect("GET", "auth/token/lookup-self", user) },
    { name: "identity token", weight: 50, run: () => expect("GET", "identity/oidc/token/soak", user) },
    { name: "JWKS", weight: 40, run: () => expect("GET", "identity/oidc/.well-known/keys", undefined) },
    { name: "login and revoke-self", weight: 3, run: logInAndOut },
  ];
}

/** A login that may read identity tokens; returns a token of its. */
async function makeLogin(api: ServedApi): Promise<string> {
  const operator = async (method: string, path: string, body: unknown) => {
    const answered = await api.operator(method, path, body);
    if (answered.status >= 300) throw new Error(`${path}: ${JSON.stringify(answered.body)}`);
  };
  await operator("POST", "sys/auth/userpass", { type: "userpass" });
  const policy = 'path "identity/oidc/token/*" { capabilities = ["read"] }';
  await operator("PUT", "sys/policies/acl/own", { policy });
  await operator("POST", "auth/userpass/users/alice", { password: "correct horse", policies: "own" });
  await operator("POST", "identity/oidc/key/soak", { algorithm: "ES256", allowed_client_ids: "*" });
  await operator("POST", "identity/oidc/role/soak", { key: "soak" });
  const login = await api.call("POST", "auth/userpass/login/alice", undefined, { password: "correct horse" });
  return login.body.auth.client_token;
}

/** Few: each token that ever died is remembered for ever, by design. */
function operatorCalls({ admin }: SoakTargets): SoakCall[] {
  const change = async (turn: number) => {
    const user = `soaked${turn}`;
    await admin.issue(user, "bench");
    await admin.revoke(user);
  };
  return [
    { name: "admin status", weight: 14, run: async () => void await admin.expect("GET", "/status") },
    { name: "issue and revoke", weight: 1, run: change },
  ];
}
