/**
 * Clients for the tests that cross rooms: gRPC as a team's agents speak it, the admin API over its socket, the command
 * line as an operator types it. They know the wire alone, so that the same test drives source and binary.
 *
 * @module
 */

import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import { ChannelCredentials, Client, type ClientOptions, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { IssuedTokenBody } from "../admin/wire.ts";
import { Health } from "../proto/gen/grpc/health/v1/health_pb.ts";
import { VaultService } from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { Metadata as MetadataService } from "../proto/gen/runevault/v1/metadata_pb.ts";
import { grpcDefinition } from "../server/grpc/definition.ts";
import { type Finished, runProgram, type StartedServer } from "./started_server.ts";

/** How a call ended: `message` when it went well; code, details and trailers always. */
export interface Ended<Response> {
  readonly message: Response | undefined;
  readonly code: status;
  readonly details: string;
  readonly trailers: Metadata;
}

/** What a call may say besides its request. */
export interface CallOptions {
  /** Request headers, such as `{authorization: "Bearer evt_…"}`. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** 20 s where absent: a call that hangs fails its test. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

const DEADLINE_MS = 20_000;

/** A connection to the gRPC port. Dispose of it when done. */
export class VaultClient implements Disposable {
  readonly channel: Client;

  /** @param address `host:port` as in `addresses.json`. */
  constructor(address: string, options: ClientOptions = {}, credentials = ChannelCredentials.createInsecure()) {
    this.channel = new Client(address, credentials, {
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
      ...options,
    });
  }

  /** A client of a started server. */
  static of(server: StartedServer, options: ClientOptions = {}): VaultClient {
    return new VaultClient(server.addresses.grpc!, options);
  }

  /** Calls any unary method. */
  call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    init: MessageInitShape<Input>,
    { headers = {}, deadlineMs = DEADLINE_MS, signal }: CallOptions = {},
  ): Promise<Ended<MessageShape<Output>>> {
    const { path, requestSerialize, responseDeserialize } = definitionOf(method);
    const request = create(method.input, init);
    return new Promise((resolve) => {
      const done = (error: ServiceError | null, message?: MessageShape<DescMessage>) => {
        resolve(error === null ? succeeded(message as MessageShape<Output>) : failed(error));
      };
      const deadline = Date.now() + deadlineMs;
      const metadata = toMetadata(headers);
      const pending = this.channel
        .makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, { deadline }, done);
      signal?.addEventListener("abort", () => pending.cancel());
    });
  }

  /** `GetAgentManifest`. */
  manifest(token: string, options?: CallOptions) {
    return this.call(VaultService.method.getAgentManifest, { token }, options);
  }

  /** `GetPublicKey`. */
  publicKey(token: string, options?: CallOptions) {
    return this.call(VaultService.method.getPublicKey, { token }, options);
  }

  /** `DecryptScores`. */
  scores(token: string, encryptedBlobB64: string, topK: number, options?: CallOptions) {
    return this.call(VaultService.method.decryptScores, { token, encryptedBlobB64, topK }, options);
  }

  /** `DecryptMetadata`. */
  open(token: string, encryptedMetadataList: readonly string[], options?: CallOptions) {
    const request = { token, encryptedMetadataList: [...encryptedMetadataList] };
    return this.call(VaultService.method.decryptMetadata, request, options);
  }

  /** `SealMetadata`, whose token is metadata. */
  seal(token: string, plaintexts: readonly string[], options: CallOptions = {}) {
    const headers = { authorization: `Bearer ${token}`, ...options.headers };
    return this.call(MetadataService.method.sealMetadata, { plaintexts: [...plaintexts] }, { ...options, headers });
  }

  /** `grpc.health.v1.Health/Check`. */
  health(service = "") {
    return this.call(Health.method.check, { service });
  }

  /** The parsed bundle of `GetAgentManifest`; throws where the call failed. */
  async bundle(token: string): Promise<Bundle> {
    const { code, details, message } = await this.manifest(token);
    if (message === undefined) throw new Error(`GetAgentManifest ended with ${status[code]}: ${details}`);
    return JSON.parse(message.manifestJson) as Bundle;
  }

  [Symbol.dispose](): void {
    this.channel.close();
  }
}

/** A key bundle, as its JSON stands. */
export interface Bundle {
  readonly agent_id: string;
  readonly agent_dek?: string;
  readonly deks?: Readonly<Record<string, string>>;
  readonly envelope: number;
  readonly key_version: number;
  readonly key_id: string;
  readonly index_name?: string;
  readonly envector_endpoint?: string;
  readonly envector_api_key?: string;
  readonly "EncKey.json"?: string;
  readonly "EvalKey.json"?: string;
}

/** Request headers as grpc-js takes them. */
export function toMetadata(headers: NonNullable<CallOptions["headers"]>): Metadata {
  const metadata = new Metadata();
  for (const [name, values] of Object.entries(headers)) {
    for (const value of typeof values === "string" ? [values] : values) metadata.add(name, value);
  }
  return metadata;
}

function definitionOf(method: DescMethodUnary) {
  const definition = grpcDefinition(method.parent as GenService<GenServiceMethods>);
  return definition[method.localName]!;
}

function succeeded<Response>(message: Response): Ended<Response> {
  return { message, code: status.OK, details: "", trailers: new Metadata() };
}

function failed({ code, details, metadata }: ServiceError): Ended<never> {
  return { message: undefined, code, details, trailers: metadata };
}

/** An answer of the admin API; what its body is, the test says. */
export interface AdminAnswer<T> {
  readonly status: number;
  readonly body: T;
}

/** The body of a refusal. */
export interface Refusal {
  readonly error: string;
  readonly kind: string;
  readonly hint?: string;
}

/** The socket has 64 places and closes what comes beside; whoever asks more at once waits here. */
const ADMIN_AT_ONCE = 48;

/** The admin API over its unix socket. Dispose of it when done. */
export class AdminHttp implements Disposable {
  readonly #http: Deno.HttpClient;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  #open = true;

  constructor(socketPath: string) {
    this.#http = Deno.createHttpClient({ proxy: { transport: "unix", path: socketPath } });
  }

  /** A client of a started server. */
  static of(server: StartedServer): AdminHttp {
    return new AdminHttp(server.addresses.admin_socket!);
  }

  /** Asks, whatever the answer; rejects only where there is none. */
  async ask<T = Refusal>(method: string, path: string, body?: unknown): Promise<AdminAnswer<T>> {
    while (this.#underWay >= ADMIN_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#underWay++;
    try {
      return await this.#ask<T>(method, path, body);
    } finally {
      this.#underWay--;
      this.#waiting.shift()?.();
    }
  }

  async #ask<T>(method: string, path: string, body: unknown): Promise<AdminAnswer<T>> {
    const answer = await fetch(`http://localhost${path}`, {
      method,
      client: this.#http,
      signal: AbortSignal.timeout(DEADLINE_MS),
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.json() as T };
  }

  /** Asks and expects success. */
  async expect<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.ask<T>(method, path, body);
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }

  /** Issues a token and returns it. */
  async issue(user: string, role = "member", expiresDays?: number): Promise<string> {
    return (await this.expect<IssuedTokenBody>("POST", "/tokens", { user, role, expires_days: expiresDays })).token;
  }

  /** Rotates a token and returns the new one. */
  async rotate(user: string, graceSeconds?: number): Promise<string> {
    return (await this.expect<IssuedTokenBody>("POST", `/tokens/${user}/rotate`, { grace_seconds: graceSeconds }))
      .token;
  }

  /** Revokes a token. */
  async revoke(user: string): Promise<void> {
    await this.expect("DELETE", `/tokens/${user}`);
  }

  /** Makes a role, by default one that no test's calls fill. */
  async createRole(name: string, scope: readonly string[], rateLimit = "1000000/1s", topK = 10): Promise<void> {
    await this.expect("POST", "/roles", { name, scope, top_k: topK, rate_limit: rateLimit });
  }

  [Symbol.dispose](): void {
    if (this.#open) this.#http.close();
    this.#open = false;
  }
}

/** Runs a command of the program against a server's data folder. */
export function cli(server: { readonly dataDir: string }, args: readonly string[], stdin?: string): Promise<Finished> {
  return runProgram([...args, "--data-dir", server.dataDir], stdin === undefined ? {} : { stdin });
}

/** Resolves when `holds` does; throws with `what` when it still doesn't after `withinMs`. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 20_000,
): Promise<void> {
  const until = performance.now() + withinMs;
  while (!await holds()) {
    if (performance.now() > until) throw new Error(`${what}: not within ${withinMs} ms`);
    await sleep(25);
  }
}

/** Resolves after some milliseconds. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
