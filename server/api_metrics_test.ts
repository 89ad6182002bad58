import { equal, match, ok } from "node:assert/strict";
import { ApiMetrics } from "./api_metrics.ts";
import { UserLabels } from "./user_labels.ts";

Deno.test("ApiMetrics counts by route, operation, outcome and user, and names can't forge lines", () => {
  const metrics = new ApiMetrics(new UserLabels(true));
  const request = { route: "token/lookup-self", operation: "read", user: "alice", status: 200, seconds: 0.003 };
  metrics.observe(request);
  metrics.observe({ ...request, seconds: 20 });
  metrics.observe({ ...request, status: 403, user: 'a"}\nvault_fake 1' });
  const text = metrics.render();
  const labels = 'operation="read",route="token/lookup-self"';
  match(text, new RegExp(`^runevault_api_requests_total{${labels},status="success",user="alice"} 2$`, "m"));
  ok(text.includes('status="error",user="a\\"}\\nvault_fake 1"} 1'));
  match(text, new RegExp(`_bucket{${labels},le="0.0025"} 0$`, "m"));
  match(text, new RegExp(`_bucket{${labels},le="0.005"} 2$`, "m"));
  match(text, new RegExp(`_bucket{${labels},le="\\+Inf"} 3$`, "m"));
  match(text, new RegExp(`_count{${labels}} 3$`, "m"));
});

Deno.test("ApiMetrics gives a thousand users series of their own, and counts the rest as other", () => {
  const metrics = new ApiMetrics(new UserLabels(true));
  for (let i = 0; i < 1100; i++) {
    metrics.observe({ route: "r", operation: "read", user: `user${i}`, status: 200, seconds: 0 });
  }
  const users = metrics.render().split("\n").filter((line) => line.startsWith("runevault_api_requests_total{"));
  equal(users.length, 1001);
  ok(users.some((line) => line.endsWith('user="other"} 100')));
});
