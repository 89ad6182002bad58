/**
 * Sends spans to a collector over OTLP/HTTP. Loaded only where traces are wanted.
 *
 * @module
 */

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Logger } from "../../vault/ports.ts";
import type { TracingSettings } from "./settings.ts";
import type { RequestSpan } from "./traced_audit.ts";

/** What sends spans. */
export interface SpanSender {
  /** Takes a request that ends now. Never blocks; drops what is too much. */
  readonly record: (span: RequestSpan) => void;
  /** Sends what waits, and ends. Never rejects. */
  close(): Promise<void>;
}

/** A collector that is away is told of once in so long. */
const QUIET_MS = 60_000;
const CLOSE_MS = 3000;

/** Begins to send. */
export function openSpanSender(settings: TracingSettings, version: string, logger: Logger): SpanSender {
  const { encoding, ratio, followsParent, delayMs, maxQueue, maxBatch } = settings;
  const exporter = encoding === "json" ? new JsonExporter() : new ProtobufExporter();
  const named = resourceFromAttributes({ "service.name": "runevault", "service.version": version });
  const detectors = [resourceAttributesEnvDetector, serviceNameEnvDetector];
  const processor = new BatchSpanProcessor({
    exporter: tellingFailures(exporter, logger),
    scheduledDelayMillis: delayMs,
    maxQueueSize: maxQueue,
    maxExportBatchSize: maxBatch,
  });
  const root = new TraceIdRatioBasedSampler(ratio);
  const provider = new TracerProvider({
    resource: named.merge(detectResources({ detectors })),
    sampler: followsParent ? new ParentBasedSampler({ root }) : root,
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer("runevault", version);
  return {
    record: ({ name, durationMs, attributes, hasFailed, parent }) => {
      const now = Date.now();
      const startTime = now - durationMs;
      const around = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
      const span = tracer.startSpan(name, { kind: SpanKind.SERVER, startTime, attributes }, around);
      if (hasFailed) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end(now);
    },
    close: () => within(provider.shutdown(), CLOSE_MS),
  };
}

/** The library keeps failures to itself. */
function tellingFailures(exporter: SpanExporter, logger: Logger): SpanExporter {
  let toldAt = -Infinity;
  let lost = 0;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error !== undefined) {
          lost += spans.length;
          const now = performance.now();
          if (now - toldAt >= QUIET_MS) {
            logger.log("warn", "traces_not_sent", { spans: lost, reason: result.error.message });
            [toldAt, lost] = [now, 0];
          }
        }
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  // What could not be sent was told of already.
  await Promise.race([work.catch(() => {}), late]);
  clearTimeout(timer);
}
