import { deepEqual, equal, throws } from "node:assert/strict";
import { tracingSettings } from "./settings.ts";

const from = (env: Record<string, string>) => tracingSettings((name) => env[name]);
const ON = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };

Deno.test("traces are off unless a variable names where they go, and off where one says so", () => {
  equal(from({}), undefined);
  equal(from({ OTEL_EXPORTER_OTLP_ENDPOINT: "", OTEL_SERVICE_NAME: "x", OTEL_TRACES_SAMPLER: "always_on" }), undefined);
  equal(from({ ...ON, OTEL_SDK_DISABLED: "TRUE" }), undefined);
  equal(from({ ...ON, OTEL_TRACES_EXPORTER: "none" }), undefined);
  const standard = {
    encoding: "protobuf",
    ratio: 1,
    followsParent: true,
    delayMs: 5000,
    maxQueue: 2048,
    maxBatch: 512,
  };
  deepEqual(from(ON), standard);
  deepEqual(from({ OTEL_TRACES_EXPORTER: "otlp" }), standard);
  deepEqual(from({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://collector.example/v1/traces" }), standard);
});

Deno.test("samplers and batches are OpenTelemetry's", () => {
  const ratio = (sampler: string, argument = "") =>
    from({ ...ON, OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: argument })!.ratio;
  deepEqual([ratio("always_on"), ratio("always_off"), ratio("parentbased_always_on")], [1, 0, 1]);
  deepEqual([ratio("traceidratio", "0.25"), ratio("parentbased_traceidratio"), ratio("traceidratio", "0")], [
    0.25,
    1,
    0,
  ]);
  const follows = (sampler: string) => from({ ...ON, OTEL_TRACES_SAMPLER: sampler })!.followsParent;
  deepEqual([follows("always_on"), follows("traceidratio"), follows("parentbased_traceidratio")], [false, false, true]);
  const batches = from({ ...ON, OTEL_BSP_MAX_QUEUE_SIZE: "100", OTEL_BSP_SCHEDULE_DELAY: "50" })!;
  deepEqual([batches.maxQueue, batches.maxBatch, batches.delayMs], [100, 100, 50]);
});

Deno.test("spans are written as protobuf unless JSON is asked for", () => {
  equal(from({ ...ON, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" })!.encoding, "json");
  const both = { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/protobuf", OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" };
  equal(from({ ...ON, ...both })!.encoding, "protobuf");
});

Deno.test("what isn't there is refused by the name of its variable", () => {
  const wrong = {
    OTEL_TRACES_EXPORTER: "zipkin",
    OTEL_EXPORTER_OTLP_ENDPOINT: "127.0.0.1:4317",
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    OTEL_TRACES_SAMPLER: "jaeger_remote",
    OTEL_TRACES_SAMPLER_ARG: "2",
    OTEL_BSP_SCHEDULE_DELAY: "-1",
  };
  for (const [name, value] of Object.entries(wrong)) {
    const sampled = name === "OTEL_TRACES_SAMPLER_ARG" ? { OTEL_TRACES_SAMPLER: "traceidratio" } : {};
    throws(
      () => from({ ...ON, ...sampled, [name]: value }),
      (error: Error) => error.message.startsWith(`${name} must`),
    );
  }
});
