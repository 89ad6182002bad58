/**
 * Database accounts of the compiled binary: both drivers, the clients that exist, every face.
 *
 * @module
 */

import { binaryPath } from "./_binary.ts";
import "../database/served_test.ts";

Deno.test.beforeAll(() => void binaryPath());
