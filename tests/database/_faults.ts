/**
 * Real servers whose answers get lost: what a vault sees that is killed, or cut off, around a question.
 *
 * @module
 */

import type { DatabasePlugin, DatabaseServer } from "../../vault/database/ports.ts";

/** What goes wrong from now on. */
export interface Faults {
  /** Statements never arrive, or arrive and nobody hears of it. */
  run?: "before" | "after" | undefined;
  /** Called when statements were run. */
  afterRun?: (() => void) | undefined;
  /** Nobody can find out how it ended. */
  ping?: boolean;
}

/** Plugins that suffer from `faults`. */
export function withFaults(plugins: readonly DatabasePlugin[], faults: Faults): DatabasePlugin[] {
  return plugins.map((plugin) => ({ ...plugin, open: (settings) => faulty(plugin.open(settings), faults) }));
}

function faulty(server: DatabaseServer, faults: Faults): DatabaseServer {
  return {
    ping: () => faults.ping ? Promise.reject(new Error("cut off")) : server.ping(),
    run: async (statements) => {
      if (faults.run === "before") throw new Error("cut off");
      await server.run(statements);
      faults.afterRun?.();
      if (faults.run === "after") throw new Error("cut off");
    },
    hasAccount: (username) => server.hasAccount(username),
    accountsEnding: (end) => server.accountsEnding(end),
    end: (username, statements) => server.end(username, statements),
    close: () => server.close(),
  };
}
