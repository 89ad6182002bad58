/**
 * `sys/audit` and `sys/audit-hash`: the one audit device there is, and how a value would stand in it.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import { text } from "../fields.ts";
import { type Route, route } from "../route.ts";

/** What these routes need. */
export interface SysAuditParts {
  /** The present file of the trail; null: nothing is recorded. */
  readonly filePath: string | null;
  readonly hashValue: (value: string) => string;
}

const DEVICE = "file/";

/** The routes. */
export function sysAuditRoutes({ filePath, hashValue }: SysAuditParts): Route[] {
  return [
    route({
      path: "audit",
      summary: "The audit devices.",
      needsSudo: true,
      read: () => ({ data: filePath === null ? {} : { [DEVICE]: deviceBody(filePath) }, isDuplicated: true }),
    }),
    route({
      path: "audit/*rest.path",
      summary: "Audit devices are the server's settings: none is made or taken away here.",
      needsSudo: true,
      write: () => {
        throw new VaultError("invalid_argument", "cannot enable audit device via API; use the server's settings");
      },
      delete: () => {
        throw new VaultError("invalid_argument", "cannot disable audit device via API; use the server's settings");
      },
    }),
    route({
      path: "audit-hash/*rest.path",
      summary: "How a value stands in the trail, so that it can be looked for there.",
      needsSudo: true,
      fields: { input: text("the value") },
      write: ({ params, values }) => {
        if (filePath === null || `${params["path"]!.replace(/\/$/, "")}/` !== DEVICE) {
          throw new VaultError("invalid_argument", "unknown audit backend");
        }
        if (!values.input) throw new VaultError("invalid_argument", 'the "input" parameter is empty');
        return { data: { hash: hashValue(values.input) }, isDuplicated: true };
      },
    }),
  ];
}

function deviceBody(filePath: string) {
  return {
    type: "file",
    description: "the audit trail",
    options: { file_path: filePath, format: "json" },
    local: false,
    path: DEVICE,
  };
}
