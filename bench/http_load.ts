/**
 * Asks an HTTP server the same thing over a few connections for some seconds, without a client library in between: one
 * would be slower than what it measures. Reads its plan from standard input and prints the result.
 *
 * @module
 */

/** What to ask. */
export interface HttpPlan {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly connections: number;
  readonly seconds: number;
  /** The status that counts as an answer. */
  readonly status: number;
}

/** What was seen. */
export interface HttpResult {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly failures: number;
}

async function ask(plan: HttpPlan, until: number, times: number[]): Promise<number> {
  const head = Object.entries(plan.headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const length = plan.body === "" ? "" : `content-length: ${plan.body.length}\r\n`;
  const request = `${plan.method} ${plan.path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${head}${length}\r\n${plan.body}`;
  const bytes = new TextEncoder().encode(request);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: plan.port });
  connection.setNoDelay(true);
  const buffer = new Uint8Array(65_536);
  const decoder = new TextDecoder();
  let failures = 0;
  while (performance.now() < until) {
    const start = performance.now();
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    let text = "";
    for (let end = -1; end === -1 || text.length < end;) {
      const read = await connection.read(buffer);
      if (read === null) throw new Error("the server closed a connection");
      text += decoder.decode(buffer.subarray(0, read), { stream: true });
      const headEnd = text.indexOf("\r\n\r\n");
      const found = /content-length: (\d+)/i.exec(text);
      if (headEnd !== -1) end = headEnd + 4 + Number(found?.[1] ?? 0);
    }
    times.push(performance.now() - start);
    if (!text.startsWith(`HTTP/1.1 ${plan.status}`)) failures++;
  }
  return failures;
}

if (import.meta.main) {
  const plan = JSON.parse(await new Response(Deno.stdin.readable).text()) as HttpPlan;
  const times: number[] = [];
  const started = performance.now();
  const asking = Array.from({ length: plan.connections }, () => ask(plan, started + plan.seconds * 1000, times));
  const failures = (await Promise.all(asking)).reduce((sum, one) => sum + one, 0);
  const seconds = (performance.now() - started) / 1000;
  times.sort((a, b) => a - b);
  const result: HttpResult = {
    perSecond: times.length / seconds,
    p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
    failures,
  };
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(result)));
}
