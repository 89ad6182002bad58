/**
 * Every kind of database server that accounts can be made on.
 *
 * @module
 */

import type { DatabasePlugin } from "../vault/database/ports.ts";
import { mysqlPlugin } from "./mysql.ts";
import { postgresPlugin } from "./postgres.ts";

/** All plugins. */
export const DATABASE_PLUGINS: readonly DatabasePlugin[] = [mysqlPlugin, postgresPlugin];
