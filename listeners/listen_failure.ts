/**
 * Why an address can't be listened on, in words that say what to do.
 *
 * @module
 */

/** What is wrong with an address, and what mends it. */
export interface ListenFailure {
  readonly reason: string;
  readonly hint: string;
}

/** By what the system calls it, in the words of `node:net` and of Deno. */
const FAILURES: readonly (readonly [words: RegExp, failure: ListenFailure])[] = [
  [/EADDRINUSE|address already in use/i, {
    reason: "another program listens there",
    hint: "stop the program that uses this address, or give another one",
  }],
  [/EACCES|EPERM|permission denied/i, {
    reason: "this user may not",
    hint: "give a port from 1024 on, or the service the capability CAP_NET_BIND_SERVICE",
  }],
  [/EADDRNOTAVAIL|EINVAL|assign requested address/i, {
    reason: "this machine has no such address",
    hint: "give an address of this machine; 0.0.0.0 and [::] are all of them",
  }],
];

/** Says why listening failed: from the cause that the runtime gave, which names the system's error somewhere. */
export function listenFailure(cause: unknown): ListenFailure {
  const reason = cause instanceof Error ? cause.message : "unknown failure";
  const known = FAILURES.find(([words]) => words.test(reason));
  return known?.[1] ?? { reason, hint: "give another address" };
}
