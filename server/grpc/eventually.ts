/**
 * Answers that are there at once in the thread that knows them, and later in the others.
 *
 * @module
 */

/** Does `work` unless the answer is, or turns out to be, yes. An answer that can't be had is no. */
export function unlessTrue(answer: boolean | Promise<boolean>, work: () => void): void {
  if (answer instanceof Promise) answer.catch(() => false).then((yes) => unlessTrue(yes, work));
  else if (!answer) work();
}
