/**
 * The contract again, on four threads: three quarters of all connections are another thread's.
 *
 * @module
 */

Deno.test.beforeAll(() => Deno.env.set("RUNEVAULT_TEST_WORKERS", "4"));
Deno.test.afterAll(() => Deno.env.delete("RUNEVAULT_TEST_WORKERS"));

await import("../wire/contract_test.ts");
await import("../wire/envelopes_test.ts");
await import("../wire/bundle_test.ts");
await import("../wire/standard_services_test.ts");
await import("../wire/tls_test.ts");
