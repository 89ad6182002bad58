/**
 * `sys/mounts` and `sys/auth`: which secrets engines and auth methods there are, and their settings.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import type { LockoutConfig, MountRecord, MountSection } from "../../../vault/storage/identity_records.ts";
import { type MountTable, type MountTuning, stableName } from "../../../vault/mounts/mount_table.ts";
import { parseDuration } from "../durations.ts";
import { anything, bool, object, text, textMap } from "../fields.ts";
import { type ApiAnswer, type ApiRequest, type Route, route } from "../route.ts";

/** What these routes need. */
export interface MountRouteParts {
  readonly mounts: MountTable;
  /** Policies and roles that speak of an auth mount by its stable name. */
  usersOfStableName(name: string): readonly string[];
}

const NEW_MOUNT = {
  type: text("the type: `userpass`, `database`"),
  description: text("for people"),
  config: object("default_lease_ttl, max_lease_ttl, listing_visibility, token_type"),
  options: textMap("options of the engine"),
  local: bool("taken for compatibility"),
  seal_wrap: bool("taken for compatibility"),
  external_entropy_access: bool("taken for compatibility"),
  plugin_name: text("the type, where `type` is `plugin`"),
};

const TUNING = {
  default_lease_ttl: anything("a duration; 0 or `system`: the system's"),
  max_lease_ttl: anything("a duration; 0 or `system`: the system's"),
  description: text("for people"),
  options: textMap("options of the engine"),
  listing_visibility: text("`unauth`, `hidden` or empty"),
  user_lockout_config: object("lockout_threshold, lockout_duration, lockout_counter_reset, lockout_disable"),
  force_no_cache: bool("taken for compatibility"),
  token_type: text("`default-service` or `service`"),
  plugin_version: text("taken for compatibility"),
  audit_non_hmac_request_keys: anything("taken for compatibility"),
  audit_non_hmac_response_keys: anything("taken for compatibility"),
  passthrough_request_headers: anything("taken for compatibility"),
  allowed_response_headers: anything("taken for compatibility"),
};

const SERVICE_TYPES = ["default", "default-service", "service"];

/** The routes of both sections. */
export function sysMountRoutes(parts: MountRouteParts): Route[] {
  return [...sectionRoutes("secret", "mounts", parts), ...sectionRoutes("auth", "auth", parts)];
}

function sectionRoutes(section: MountSection, name: string, parts: MountRouteParts): Route[] {
  const { mounts } = parts;
  const what = section === "auth" ? "auth methods" : "secrets engines";
  // Auth methods are the way in, so touching one needs `sudo`; the list doesn't, by which clients find accessors.
  const sudo = section === "auth" ? { needsSudo: true as const } : {};
  const tune = (path: string, tuned: MountSection, more: { needsSudo?: true }): Route =>
    route({
      path,
      summary: `Settings of one of the ${what}.`,
      ...more,
      fields: TUNING,
      read: ({ params }) => ({ data: tuningOf(existing(mounts, tuned, params["path"]!), mounts) }),
      write: async ({ params, values }) => {
        await mounts.tune(tuned, params["path"]!, readTuning(values));
        return null;
      },
    });
  return [
    route({ path: name, summary: `The ${what}.`, read: () => listing(mounts, section) }),
    ...(section === "secret" ? [tune("mounts/auth/*rest.path/tune", "auth", { needsSudo: true })] : []),
    tune(`${name}/*rest.path/tune`, section, sudo),
    route({
      path: `${name}/*rest.path`,
      summary: `Enables, shows or disables one of the ${what}.`,
      ...sudo,
      fields: NEW_MOUNT,
      read: ({ params }) => ({ data: mountBody(existing(mounts, section, params["path"]!)) }),
      write: (request) => enable(request, section, parts),
      delete: async ({ params }) => {
        await mounts.disable(section, params["path"]!);
        return null;
      },
    }),
  ];
}

function listing(mounts: MountTable, section: MountSection): ApiAnswer {
  const data = Object.fromEntries(mounts.list(section).map((mount) => [mount.path, mountBody(mount)]));
  return { data, isDuplicated: true };
}

/** One mount as clients read it. */
export function mountBody(mount: MountRecord): Record<string, unknown> {
  const isAuth = mount.section === "auth";
  return {
    type: mount.type,
    description: mount.description,
    accessor: mount.accessor,
    ...(isAuth ? { stable_accessor: stableName(mount) } : {}),
    local: mount.type === "cubbyhole",
    seal_wrap: false,
    external_entropy_access: false,
    options: mount.options,
    uuid: mount.uuid,
    plugin_version: "",
    running_plugin_version: "",
    running_sha256: "",
    deprecation_status: "supported",
    config: {
      default_lease_ttl: mount.defaultLeaseTtl,
      max_lease_ttl: mount.maxLeaseTtl,
      force_no_cache: false,
      ...(mount.listingVisibility === "" ? {} : { listing_visibility: mount.listingVisibility }),
      ...(isAuth ? { token_type: "default-service" } : {}),
    },
  };
}

function existing(mounts: MountTable, section: MountSection, path: string): MountRecord {
  const normal = `${path.replace(/\/+$/, "")}/`;
  const mount = mounts.byPath(section, normal);
  if (mount !== undefined) return mount;
  const kind = section === "auth" ? "auth engine" : "secret engine mount";
  throw new VaultError("invalid_argument", `No ${kind} at ${normal}`);
}

async function enable(
  request: ApiRequest<typeof NEW_MOUNT>,
  section: MountSection,
  { mounts, usersOfStableName }: MountRouteParts,
): Promise<ApiAnswer> {
  const { values, params } = request;
  const type = (values.type === "plugin" ? values.plugin_name : values.type) ?? "";
  const path = params["path"]!;
  // The identity engine is always on: recipes that enable it once more are right in what they want.
  if (type === "identity" && (section === "auth" || path.replace(/\/+$/, "") === "identity")) return null;
  const { default_lease_ttl, max_lease_ttl, listing_visibility, token_type } = values.config ?? {};
  assertServiceTokens(token_type);
  const record = await mounts.enable({
    section,
    path,
    type,
    description: values.description ?? "",
    defaultLeaseTtl: ttlOf("default_lease_ttl", default_lease_ttl) ?? 0,
    maxLeaseTtl: ttlOf("max_lease_ttl", max_lease_ttl) ?? 0,
    options: values.options ?? null,
    listingVisibility: visibilityOf(listing_visibility) ?? "",
  });
  const users = section === "auth" ? usersOfStableName(stableName(record)) : [];
  if (users.length > 0) {
    request.warn(`the stable accessor name ${stableName(record)} is already used by ${users.join(", ")}`);
  }
  return null;
}

function tuningOf(mount: MountRecord, mounts: MountTable): Record<string, unknown> {
  const { defaultTtl, maxTtl } = mounts.lifetimes(mount);
  const { lockout } = mount;
  return {
    default_lease_ttl: defaultTtl,
    max_lease_ttl: maxTtl,
    description: mount.description,
    force_no_cache: false,
    ...(mount.options === null ? {} : { options: mount.options }),
    ...(mount.listingVisibility === "" ? {} : { listing_visibility: mount.listingVisibility }),
    ...(mount.section === "auth" ? { token_type: "default-service" } : {}),
    ...(lockout?.threshold === undefined ? {} : { user_lockout_threshold: lockout.threshold }),
    ...(lockout?.durationSeconds === undefined ? {} : { user_lockout_duration: lockout.durationSeconds }),
    ...(lockout?.counterResetSeconds === undefined
      ? {}
      : { user_lockout_counter_reset_duration: lockout.counterResetSeconds }),
    ...(lockout?.disabled === undefined ? {} : { user_lockout_disable: lockout.disabled }),
  };
}

function readTuning(values: ApiRequest<typeof TUNING>["values"]): MountTuning {
  const defaultLeaseTtl = ttlOf("default_lease_ttl", values.default_lease_ttl);
  const maxLeaseTtl = ttlOf("max_lease_ttl", values.max_lease_ttl);
  const listingVisibility = visibilityOf(values.listing_visibility);
  assertServiceTokens(values.token_type);
  return {
    ...(values.description === undefined ? {} : { description: values.description }),
    ...(defaultLeaseTtl === undefined ? {} : { defaultLeaseTtl }),
    ...(maxLeaseTtl === undefined ? {} : { maxLeaseTtl }),
    ...(values.options === undefined ? {} : { options: values.options }),
    ...(listingVisibility === undefined ? {} : { listingVisibility }),
    ...(values.user_lockout_config === undefined ? {} : { lockout: readLockout(values.user_lockout_config) }),
  };
}

/** `""` keeps what is set; 0 and `system` go back to the system's. */
function ttlOf(name: string, value: unknown): number | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (value === "system") return 0;
  const seconds = typeof value === "number" || typeof value === "string" ? parseDuration(value) : undefined;
  if (seconds !== undefined && seconds >= 0) return seconds;
  throw new VaultError("invalid_argument", `Unable to parse ${name}: expected a duration, such as 3600 or "24h"`);
}

function visibilityOf(value: unknown): MountRecord["listingVisibility"] | undefined {
  if (value === undefined || value === null) return undefined;
  if (value === "" || value === "hidden" || value === "unauth") return value;
  throw new VaultError("invalid_argument", "listing_visibility must be `unauth`, `hidden` or empty");
}

function assertServiceTokens(type: unknown): void {
  if (type === undefined || type === null || type === "" || SERVICE_TYPES.includes(type as string)) return;
  throw new VaultError("invalid_argument", "invalid token_type: tokens are service tokens");
}

function readLockout(given: Readonly<Record<string, unknown>>): LockoutConfig {
  const threshold = numberOf("lockout_threshold", given["lockout_threshold"]);
  const durationSeconds = ttlOf("lockout_duration", given["lockout_duration"]);
  // The documented name and the one that is read back differ: both are taken.
  const reset = given["lockout_counter_reset_duration"] ?? given["lockout_counter_reset"];
  const counterResetSeconds = ttlOf("lockout_counter_reset", reset);
  const disabled = given["lockout_disable"];
  return {
    ...(threshold === undefined ? {} : { threshold }),
    ...(durationSeconds === undefined ? {} : { durationSeconds }),
    ...(counterResetSeconds === undefined ? {} : { counterResetSeconds }),
    ...(disabled === undefined || disabled === null || disabled === ""
      ? {}
      : { disabled: disabled === true || disabled === "true" }),
  };
}

function numberOf(name: string, value: unknown): number | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const number = Number(value);
  if (Number.isSafeInteger(number) && number > 0 && number <= 1000) return number;
  throw new VaultError("invalid_argument", `${name} must be a whole number from 1 to 1000`);
}
