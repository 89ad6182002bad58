/**
 * Tells systemd how the service is doing (sd_notify(3)); outside systemd it does nothing.
 *
 * @module
 */

import type { Logger } from "../vault/mod.ts";

/** Sends state lines, such as `READY=1`, to the socket that systemd named. */
export class SystemdNotifier {
  readonly #target: string | undefined;
  readonly #ownPath: string;
  readonly #logger: Logger;

  /**
   * @param target `$NOTIFY_SOCKET`; undefined where there is no systemd.
   * @param ownPath A path in a private folder for the sending end of the datagram socket.
   */
  constructor(target: string | undefined, ownPath: string, logger: Logger) {
    this.#target = target;
    this.#ownPath = ownPath;
    this.#logger = logger;
  }

  /** Sends one state; that it can't be sent is logged and nothing worse. */
  async notify(state: string): Promise<void> {
    if (this.#target === undefined) return;
    try {
      const socket = Deno.listenDatagram({ transport: "unixpacket", path: this.#ownPath });
      try {
        await socket.send(new TextEncoder().encode(state), { transport: "unixpacket", path: this.#target });
      } finally {
        socket.close();
        await Deno.remove(this.#ownPath);
      }
    } catch (error) {
      this.#logger.log("warn", "systemd_notify_failed", { reason: error instanceof Error ? error.message : "unknown" });
    }
  }
}
