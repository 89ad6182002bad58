/**
 * Tells systemd how the service is doing (sd_notify(3), sd_watchdog_enabled(3)); outside systemd it does nothing.
 *
 * @module
 */

import { removeIfThere } from "../vault/storage/private_files.ts";
import type { Logger } from "../vault/mod.ts";

/** Three signs of life in the time after which one is missed: one may be late. */
const SIGNS_PER_INTERVAL = 3;

/** What systemd says to a service in its environment. */
export interface SystemdEnvironment {
  /** `$NOTIFY_SOCKET`; absent where there is no systemd. */
  readonly notifySocket: string | undefined;
  /** `$WATCHDOG_USEC`: microseconds without a sign of life after which systemd ends the service. */
  readonly watchdogMicroseconds: string | undefined;
  /** `$WATCHDOG_PID`: the process that is watched. */
  readonly watchdogPid: string | undefined;
}

/** Reads what systemd says. */
export function systemdEnvironment(env: (name: string) => string | undefined): SystemdEnvironment {
  return {
    notifySocket: env("NOTIFY_SOCKET"),
    watchdogMicroseconds: env("WATCHDOG_USEC"),
    watchdogPid: env("WATCHDOG_PID"),
  };
}

/**
 * Milliseconds between two signs of life; undefined where nobody waits for any.
 *
 * @param pid This process: what watches another one is no business of ours.
 */
export function signOfLifeMs(environment: SystemdEnvironment, pid: number): number | undefined {
  const { watchdogMicroseconds = "", watchdogPid } = environment;
  if (watchdogPid !== undefined && watchdogPid !== String(pid)) return undefined;
  if (!/^[1-9][0-9]{0,14}$/.test(watchdogMicroseconds)) return undefined;
  return Math.max(1, Math.floor(Number(watchdogMicroseconds) / 1000 / SIGNS_PER_INTERVAL));
}

/** Sends state lines, such as `READY=1`, to the socket that systemd named. */
export class SystemdNotifier {
  readonly #environment: SystemdEnvironment;
  readonly #ownPath: string;
  readonly #logger: Logger;
  #socket: Deno.DatagramConn | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #failed = false;

  /** @param ownPath A path in a private folder for the sending end of the datagram socket. */
  constructor(environment: SystemdEnvironment, ownPath: string, logger: Logger) {
    this.#environment = environment;
    this.#ownPath = ownPath;
    this.#logger = logger;
  }

  /** Sends one state; that it can't be sent is logged, once, and nothing worse. */
  async notify(state: string): Promise<void> {
    const { notifySocket } = this.#environment;
    if (notifySocket === undefined) return;
    try {
      this.#socket ??= await this.#open();
      await this.#socket.send(new TextEncoder().encode(state), { transport: "unixpacket", path: notifySocket });
    } catch (error) {
      if (this.#failed) return;
      this.#failed = true;
      this.#logger.log("warn", "systemd_notify_failed", { reason: error instanceof Error ? error.message : "unknown" });
    }
  }

  /**
   * Says that the service is ready, and from then on that it is alive.
   *
   * The signs come from the event loop that answers the calls: if that stands still, they stop, and systemd starts the
   * service anew.
   */
  async ready(): Promise<void> {
    await this.notify("READY=1");
    const milliseconds = signOfLifeMs(this.#environment, Deno.pid);
    if (milliseconds !== undefined) this.#timer = setInterval(() => this.notify("WATCHDOG=1"), milliseconds);
  }

  /** Ends the signs of life and takes the socket away. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#socket === undefined) return;
    this.#socket.close();
    await removeIfThere(this.#ownPath);
  }

  async #open(): Promise<Deno.DatagramConn> {
    // A process that was killed left its own behind.
    await removeIfThere(this.#ownPath);
    return Deno.listenDatagram({ transport: "unixpacket", path: this.#ownPath });
  }
}
