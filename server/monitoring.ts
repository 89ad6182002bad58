/**
 * The monitoring port: metrics and health, for anyone who reaches it. No secret is on it.
 *
 * @module
 */

/** How the process is doing. */
export interface Health {
  readonly status: "healthy" | "degraded" | "unhealthy";
  readonly reasons: readonly string[];
}

/** What the port shows. */
export interface MonitoringParts {
  /** The Prometheus text. */
  metrics(): Promise<string>;
  health(): Health;
  /** Whether calls are being served: after start, before stop. */
  isReady(): boolean;
  /** Facts for `GET /status`, without user names. */
  status(): Readonly<Record<string, unknown>>;
}

/** Answers one request of the monitoring port. */
export async function answerMonitoring(request: Request, parts: MonitoringParts): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return json({ error: "Method not allowed" }, 405, { allow: "GET, HEAD" });
  }
  switch (new URL(request.url).pathname) {
    case "/metrics":
      return new Response(await parts.metrics(), { headers: headers("text/plain; version=0.0.4; charset=utf-8") });
    case "/health": {
      const health = parts.health();
      return json(health, health.status === "unhealthy" ? 503 : 200);
    }
    case "/health/ready":
      return parts.isReady() ? json({ ready: true }, 200) : json({ ready: false }, 503);
    case "/health/live":
      return json({ alive: true }, 200);
    case "/status":
      return json(parts.status(), 200);
    default:
      return json({ error: "No such page" }, 404);
  }
}

function json(body: unknown, status: number, more: Record<string, string> = {}): Response {
  return new Response(`${JSON.stringify(body)}\n`, { status, headers: { ...headers("application/json"), ...more } });
}

function headers(contentType: string): Record<string, string> {
  return { "content-type": contentType, "cache-control": "no-store", "x-content-type-options": "nosniff" };
}
