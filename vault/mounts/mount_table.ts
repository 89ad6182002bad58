/**
 * Where secrets engines and auth methods are mounted, and under which names policies and templates speak of them.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Clock, RandomSource } from "../ports.ts";
import type { VaultState } from "../state.ts";
import type { LockoutConfig, MountRecord, MountSection } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";
import type { Plan, Writer } from "../writer.ts";
import { newUuid } from "../ids.ts";
import { BUILTINS, isBuiltin, mountKey } from "./builtins.ts";
import { assertMountPath, normalMountPath } from "./mount_path.ts";

/** Seconds of a lease or token where a mount says nothing, and the most that any may have: 32 days. */
const SYSTEM_LEASE_TTL = 2_764_800;

/** A mount to be made. */
export interface NewMount {
  readonly section: MountSection;
  readonly path: string;
  readonly type: string;
  readonly description?: string;
  readonly defaultLeaseTtl?: number;
  readonly maxLeaseTtl?: number;
  readonly options?: Readonly<Record<string, string>> | null;
  readonly listingVisibility?: MountRecord["listingVisibility"];
}

/** What can be changed of a mount; absent fields stay. */
export interface MountTuning {
  readonly description?: string;
  readonly defaultLeaseTtl?: number;
  readonly maxLeaseTtl?: number;
  readonly options?: Readonly<Record<string, string>>;
  readonly listingVisibility?: MountRecord["listingVisibility"];
  readonly lockout?: LockoutConfig;
}

/** What a room writes when a mount goes: its users, its tokens, its leases. */
export type DisableHook = (mount: MountRecord) => readonly Write[];

/** Ends what must be gone before a mount goes; rejects where it can't be. */
export type DisableGuard = (mount: MountRecord) => Promise<void>;

/** What the table needs. */
export interface MountSurroundings {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** All mounts. */
export class MountTable {
  readonly #in: MountSurroundings;
  readonly #types: ReadonlyMap<MountSection, ReadonlySet<string>>;
  readonly #byAccessor = new Map<string, MountRecord>();
  readonly #byStableName = new Map<string, MountRecord>();
  readonly #disableHooks: DisableHook[] = [];
  readonly #disableGuards = new Map<string, DisableGuard>();
  #stamp = 0;

  /** @param mountable The types that operators may mount, by section. */
  constructor(surroundings: MountSurroundings, mountable: Readonly<Record<MountSection, readonly string[]>>) {
    this.#in = surroundings;
    this.#types = new Map([["secret", new Set(mountable.secret)], ["auth", new Set(mountable.auth)]]);
    surroundings.state.watch("mount", (after, before) => {
      this.#stamp++;
      if (before !== undefined) this.#forget(before);
      if (after !== undefined) this.#note(after);
    });
  }

  /** Grows with every change of any mount. */
  get stamp(): number {
    return this.#stamp;
  }

  /** Makes the built-in mounts of a vault that has none yet. */
  async ensureBuiltins(): Promise<void> {
    await this.#in.writer.change(() => {
      const { state } = this.#in;
      const absent = BUILTINS.filter(({ section, path }) => !state.table("mount").has(mountKey(section, path)));
      return { writes: absent.map((builtin) => putMount(this.#newRecord(builtin))), result: () => {} };
    });
  }

  /** Has `hook` write, in the transaction that takes a mount away, what goes with it. */
  addDisableHook(hook: DisableHook): void {
    this.#disableHooks.push(hook);
  }

  /** Has `guard` end what must be gone before a mount of a type goes; its paths answer 404 from then on. */
  addDisableGuard(type: string, guard: DisableGuard): void {
    this.#disableGuards.set(type, guard);
  }

  /** The mount at a path (with its slash at the end, without `auth/`). */
  byPath(section: MountSection, path: string): MountRecord | undefined {
    return this.#in.state.table("mount").get(mountKey(section, path));
  }

  /** The mount with an accessor. */
  byAccessor(accessor: string): MountRecord | undefined {
    return this.#byAccessor.get(accessor);
  }

  /** The mount that a policy or template means: by its accessor, or by its stable name. */
  resolve(name: string): MountRecord | undefined {
    return this.#byAccessor.get(name) ?? this.#byStableName.get(name);
  }

  /** The mounts of a section in the order of their paths. */
  list(section: MountSection): MountRecord[] {
    const all = [...this.#in.state.table("mount").values()].filter((mount) => mount.section === section);
    return all.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Effective seconds of leases and tokens of a mount. */
  lifetimes(mount: MountRecord): { defaultTtl: number; maxTtl: number } {
    const maxTtl = mount.maxLeaseTtl || SYSTEM_LEASE_TTL;
    return { defaultTtl: Math.min(mount.defaultLeaseTtl || SYSTEM_LEASE_TTL, maxTtl), maxTtl };
  }

  /**
   * Mounts something.
   *
   * @throws {VaultError} `invalid_argument` for a type that is none or a path that can't be, `already_exists` for one in
   *   use or whose stable name is.
   */
  enable(wanted: NewMount): Promise<MountRecord> {
    return this.#in.writer.change(() => this.planEnable(wanted));
  }

  /** {@link enable} as a part of a greater change. */
  planEnable(wanted: NewMount): Plan<MountRecord> {
    const path = normalMountPath(wanted.path);
    this.#assertMountable(wanted.section, path, wanted.type);
    this.#assertFree(wanted.section, path);
    const record = this.#newRecord({ ...wanted, path });
    assertLifetimes(record);
    this.#assertStableNameIsFree(record);
    return { writes: [putMount(record)], result: () => record };
  }

  /**
   * Takes a mount away with all that came through it; one that isn't there is no error.
   *
   * @throws {VaultError} `invalid_argument` for a built-in mount, and where something of it can't be ended now.
   */
  async disable(section: MountSection, path: string): Promise<void> {
    const normal = normalMountPath(path);
    if (isBuiltin(section, normal)) throw new VaultError("invalid_argument", `cannot unmount "${normal}"`);
    const present = this.byPath(section, normal);
    const guard = present === undefined ? undefined : this.#disableGuards.get(present.type);
    if (guard !== undefined) {
      await this.#taint(section, normal);
      await guard(present!);
    }
    await this.#remove(section, normal);
  }

  #taint(section: MountSection, path: string): Promise<void> {
    return this.#in.writer.change(() => {
      const mount = this.byPath(section, path);
      return { writes: mount === undefined ? [] : [putMount({ ...mount, tainted: true })], result: () => {} };
    });
  }

  #remove(section: MountSection, normal: string): Promise<void> {
    return this.#in.writer.change(() => {
      const mount = this.byPath(section, normal);
      if (mount === undefined) return { writes: [], result: () => {} };
      const writes = this.#disableHooks.flatMap((hook) => hook(mount));
      return { writes: [...writes, { kind: "mount", key: mountKey(section, normal) }], result: () => {} };
    });
  }

  /**
   * Moves a mount to another path of its section; its accessor, its data and what came through it stay.
   *
   * @throws {VaultError} `invalid_argument` where there is none or the new path can't be, `already_exists`.
   */
  move(section: MountSection, from: string, to: string): Promise<MountRecord> {
    return this.#in.writer.change(() => {
      const mount = this.byPath(section, normalMountPath(from));
      if (mount === undefined || isBuiltin(section, mount.path)) {
        throw new VaultError("invalid_argument", `no matching mount at ${JSON.stringify(normalMountPath(from))}`);
      }
      const path = normalMountPath(to);
      assertMountPath(section, path);
      this.#assertFree(section, path);
      const record = { ...mount, path };
      this.#assertStableNameIsFree(record);
      return {
        writes: [{ kind: "mount", key: mountKey(section, mount.path) }, putMount(record)],
        result: () => record,
      };
    });
  }

  /**
   * Changes settings of a mount.
   *
   * @throws {VaultError} `invalid_argument` where there is none, or its default would exceed its maximum.
   */
  tune(section: MountSection, path: string, tuning: MountTuning): Promise<MountRecord> {
    return this.#in.writer.change(() => {
      const mount = this.byPath(section, normalMountPath(path));
      if (mount === undefined || mount.type === "evt") {
        throw new VaultError("invalid_argument", `No mount at ${JSON.stringify(normalMountPath(path))}`);
      }
      const record = { ...mount, ...tuning, lockout: { ...mount.lockout, ...tuning.lockout } };
      assertLifetimes(record);
      return { writes: [putMount(record)], result: () => record };
    });
  }

  #newRecord(wanted: NewMount): MountRecord {
    const { clock, random } = this.#in;
    const prefix = wanted.section === "auth" ? "auth_" : "";
    return {
      section: wanted.section,
      path: wanted.path,
      type: wanted.type,
      accessor: `${prefix}${wanted.type}_${random.bytes(4).toHex()}`,
      uuid: newUuid(random),
      description: wanted.description ?? "",
      defaultLeaseTtl: wanted.defaultLeaseTtl ?? 0,
      maxLeaseTtl: wanted.maxLeaseTtl ?? 0,
      options: wanted.options ?? null,
      listingVisibility: wanted.listingVisibility ?? "",
      createdAt: clock.now(),
    };
  }

  #assertMountable(section: MountSection, path: string, type: string): void {
    if (type === "") throw new VaultError("invalid_argument", "backend type must be specified as a string");
    assertMountPath(section, path);
    if (this.#types.get(section)!.has(type)) return;
    if (BUILTINS.some((builtin) => builtin.section === section && builtin.type === type)) {
      throw new VaultError("invalid_argument", `mount type of "${type}" is not mountable`);
    }
    throw new VaultError("invalid_argument", `plugin not found in the catalog: ${type.slice(0, 80)}`, {
      hint: `types are ${[...this.#types.get(section)!].join(", ") || "none"}`,
    });
  }

  /** One mount's path may not be the beginning of another's. */
  #assertFree(section: MountSection, path: string): void {
    const taken = this.list(section).find((other) => path.startsWith(other.path) || other.path.startsWith(path));
    if (taken === undefined) return;
    throw new VaultError("already_exists", `path is already in use at ${taken.path}`);
  }

  #assertStableNameIsFree(record: MountRecord): void {
    if (record.section !== "auth") return;
    const other = this.#byStableName.get(stableName(record));
    if (other === undefined) return;
    const message = `the stable accessor name ${stableName(record)} is already that of auth/${other.path}`;
    throw new VaultError("already_exists", message);
  }

  #note(mount: MountRecord): void {
    this.#byAccessor.set(mount.accessor, mount);
    if (mount.section === "auth") this.#byStableName.set(stableName(mount), mount);
  }

  #forget(mount: MountRecord): void {
    this.#byAccessor.delete(mount.accessor);
    if (mount.section === "auth") this.#byStableName.delete(stableName(mount));
  }
}

/** The name of an auth mount that outlives its accessor: `userpass_auth`, `team_ldap_auth` for `team/ldap/`. */
export function stableName(mount: MountRecord): string {
  return `${mount.path.slice(0, -1).replaceAll("/", "_")}_auth`;
}

function putMount(value: MountRecord): Write {
  return { kind: "mount", key: mountKey(value.section, value.path), value };
}

function assertLifetimes({ defaultLeaseTtl, maxLeaseTtl }: MountRecord): void {
  const max = maxLeaseTtl || SYSTEM_LEASE_TTL;
  if (max > SYSTEM_LEASE_TTL) {
    throw new VaultError("invalid_argument", `given max lease TTL is greater than the system's, ${SYSTEM_LEASE_TTL} s`);
  }
  if ((defaultLeaseTtl || 0) <= max) return;
  throw new VaultError("invalid_argument", "backend default lease TTL is greater than its max lease TTL");
}
