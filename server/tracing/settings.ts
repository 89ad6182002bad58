/**
 * Whether and how traces are sent: OpenTelemetry's own variables, so that operators need not learn others.
 *
 * Where none of them asks for traces, nothing of OpenTelemetry is loaded.
 *
 * @module
 */

import { VaultError } from "../../vault/mod.ts";

/** How traces are sampled and gathered; where they go, the exporter reads by itself. */
export interface TracingSettings {
  /** How spans are written; OpenTelemetry's default is protobuf. */
  readonly encoding: "protobuf" | "json";
  /** The part of requests that is traced, 0 to 1. */
  readonly ratio: number;
  /** Whether a caller who names a span of theirs decides for their request, as OpenTelemetry has it by default. */
  readonly followsParent: boolean;
  /** Milliseconds between two exports at most. */
  readonly delayMs: number;
  /** Spans that wait at most; more are dropped. */
  readonly maxQueue: number;
  readonly maxBatch: number;
}

type Env = (name: string) => string | undefined;

const ENDPOINTS = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const SAMPLERS = "always_on, always_off or traceidratio, each also with parentbased_ before it";
const DELAY_MS = 5000;
const MAX_QUEUE = 2048;
const MAX_BATCH = 512;

/**
 * The settings; undefined where traces aren't wanted: no endpoint is named, `OTEL_SDK_DISABLED` is true, or
 * `OTEL_TRACES_EXPORTER` is `none`.
 *
 * @throws {VaultError} `config_invalid` naming the variable that asks for something that isn't there.
 */
export function tracingSettings(env: Env): TracingSettings | undefined {
  const exporter = env("OTEL_TRACES_EXPORTER") || undefined;
  const isNamed = exporter !== undefined || ENDPOINTS.some((name) => env(name));
  if (!isNamed || exporter === "none" || env("OTEL_SDK_DISABLED")?.toLowerCase() === "true") return undefined;
  if (exporter !== undefined && exporter !== "otlp") throw unknown("OTEL_TRACES_EXPORTER", "otlp or none");
  for (const name of ENDPOINTS) if (env(name) && !isHttp(env(name)!)) throw unknown(name, "an http:// or https:// URL");
  const maxQueue = wholeNumber(env, "OTEL_BSP_MAX_QUEUE_SIZE", MAX_QUEUE);
  return {
    encoding: encodingOf(env),
    ratio: sampledPart(env),
    followsParent: samplerOf(env).startsWith(PARENT_BASED),
    delayMs: wholeNumber(env, "OTEL_BSP_SCHEDULE_DELAY", DELAY_MS),
    maxQueue,
    maxBatch: Math.min(maxQueue, wholeNumber(env, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", MAX_BATCH)),
  };
}

function encodingOf(env: Env): TracingSettings["encoding"] {
  const name = PROTOCOLS.find((one) => env(one));
  const protocol = name === undefined ? "http/protobuf" : env(name);
  if (protocol === "http/protobuf") return "protobuf";
  if (protocol === "http/json") return "json";
  throw unknown(name!, "http/protobuf or http/json");
}

const PARENT_BASED = "parentbased_";

function samplerOf(env: Env): string {
  return env("OTEL_TRACES_SAMPLER") || `${PARENT_BASED}always_on`;
}

/** What is sampled of the requests whose caller names no span. */
function sampledPart(env: Env): number {
  const sampler = samplerOf(env).replace(PARENT_BASED, "");
  if (sampler === "always_on") return 1;
  if (sampler === "always_off") return 0;
  if (sampler !== "traceidratio") throw unknown("OTEL_TRACES_SAMPLER", SAMPLERS);
  const ratio = Number(env("OTEL_TRACES_SAMPLER_ARG") || "1");
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw unknown("OTEL_TRACES_SAMPLER_ARG", "a number from 0 to 1");
}

function wholeNumber(env: Env, name: string, fallback: number): number {
  const text = env(name);
  if (!text) return fallback;
  if (/^[1-9][0-9]{0,6}$/.test(text)) return Number(text);
  throw unknown(name, "a whole number above 0");
}

function isHttp(text: string): boolean {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? "");
}

function unknown(name: string, wanted: string): VaultError {
  return new VaultError("config_invalid", `${name} must be ${wanted}`, {
    hint: "take it out of the environment to serve without traces",
  });
}
