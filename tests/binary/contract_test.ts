/**
 * The contract's rows once more, on the compiled binary: the same tests as on the source.
 *
 * @module
 */

import { binaryPath } from "./_binary.ts";
import "../wire/bundle_test.ts";
import "../wire/contract_test.ts";
import "../wire/envelopes_test.ts";
import "../wire/lifecycle_test.ts";
import "../wire/migration_test.ts";
import "../wire/presented_token_test.ts";
import "../wire/standard_services_test.ts";

Deno.test.beforeAll(() => void binaryPath());
