/**
 * How long a test waits for what must happen.
 *
 * @module
 */

/** What `promise` gives, or a rejection after twenty seconds: a test that waits for ever says nothing. */
export async function soon<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("nothing happened within 20 s")), 20_000);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
