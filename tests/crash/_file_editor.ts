/**
 * Somebody who edits `vault-roles.yml` by hand while others change the vault, and remembers which edits were taken.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import type { FileRow, RoleRow } from "../../admin/wire.ts";
import { type AdminHttp, eventually, sleep } from "../clients.ts";
import type { StartedServer } from "../started_server.ts";

const ROLE = "edited";
const LINES = new RegExp(`(\\n  ${ROLE}:\\n(?:    .*\\n)*?    top_k: )[0-9]+`);

/** Edits one row again and again. An edit is acknowledged once the vault shows it. */
export class FileEditor {
  readonly #random: () => number;
  #topK = 1;
  #open: number | null = null;
  /** Edits that the vault took, and those that it refused as made on an older text. */
  taken = 0;
  refused = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Makes the role whose row is edited. */
  async prepare(admin: AdminHttp): Promise<void> {
    await admin.createRole(ROLE, ["get_bundle"], "1000000/1s", this.#topK);
  }

  /** Edits until `stopped` or the server is gone. */
  async work(
    admin: AdminHttp,
    server: StartedServer,
    stopped: () => boolean,
    onAcknowledged: () => void,
  ): Promise<void> {
    while (!stopped()) {
      try {
        if (await this.#edit(admin, server)) onAcknowledged();
        else await sleep(20);
      } catch (error) {
        if (!stopped()) throw error;
        return;
      }
    }
  }

  /** Whether an edit was taken. */
  async #edit(admin: AdminHttp, server: StartedServer): Promise<boolean> {
    if ((await roles(admin)).state !== "written") return false;
    const path = `${server.dataDir}/vault-roles.yml`;
    const text = await Deno.readTextFile(path);
    const topK = 1 + Math.floor(this.#random() * 9999);
    const edited = text.replace(LINES, `$1${topK}`);
    if (edited === text) return false;
    this.#open = topK;
    await Deno.writeTextFile(`${path}.edited`, edited, { mode: 0o600 });
    await Deno.rename(`${path}.edited`, path);
    server.signal("SIGHUP");
    return await this.#isTaken(admin, topK);
  }

  async #isTaken(admin: AdminHttp, topK: number): Promise<boolean> {
    for (let look = 0; look < 200; look++) {
      if ((await this.#shown(admin)) === topK) {
        this.#topK = topK;
        this.#open = null;
        this.taken++;
        return true;
      }
      if ((await roles(admin)).state === "refused") return await this.#giveUp(admin);
      await sleep(5);
    }
    return await this.#giveUp(admin);
  }

  /** Others changed the vault meanwhile: the vault's own text is put back, and the next edit is made on it. */
  async #giveUp(admin: AdminHttp): Promise<false> {
    await admin.expect("POST", "/files/roles/discard", {});
    this.#topK = await this.#shown(admin);
    this.#open = null;
    this.refused++;
    return false;
  }

  /** Compares the restarted server with what was taken; an edit that was open may have been taken or not. */
  async verify(admin: AdminHttp): Promise<void> {
    const shown = await this.#shown(admin);
    ok(shown === this.#topK || shown === this.#open, `top_k ${shown}, edited to ${this.#topK}, then ${this.#open}`);
    this.#topK = shown;
    this.#open = null;
    if ((await roles(admin)).state === "refused") await this.#giveUp(admin);
    await eventually("the roles file is in step", async () => (await roles(admin)).state === "written");
  }

  async #shown(admin: AdminHttp): Promise<number> {
    return (await admin.expect<RoleRow>("GET", `/roles/${ROLE}`)).top_k;
  }
}

async function roles(admin: AdminHttp): Promise<FileRow> {
  const { files } = await admin.expect<{ files: FileRow[] }>("GET", "/files");
  return files.find(({ name }) => name === "roles")!;
}
