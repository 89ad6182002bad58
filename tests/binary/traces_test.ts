/** Traces from the compiled binary, whose runtime has a telemetry of its own that can't be switched at run time. */

import { binaryPath } from "./_binary.ts";
import "../tracing/traces_test.ts";

Deno.test.beforeAll(() => void binaryPath());
