/**
 * Whether a port that was asked in plain HTTP speaks TLS.
 *
 * @module
 */

/** The first byte of a TLS record that says what is wrong with the other's (RFC 8446 §5.1). */
const ALERT = 21;
const WAIT_MS = 2000;
const QUESTION = new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n");

/** Asks in plain, with nothing that is secret; a port that speaks TLS answers by an alert. */
export async function speaksTls({ hostname, port }: URL): Promise<boolean> {
  try {
    using connection = await Deno.connect({ hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) });
    const timer = setTimeout(() => connection.close(), WAIT_MS);
    try {
      await connection.write(QUESTION);
      const first = new Uint8Array(1);
      return await connection.read(first) === 1 && first[0] === ALERT;
    } finally {
      clearTimeout(timer);
    }
  } catch {
    // Whoever can't be reached, or says nothing, has been complained of already.
    return false;
  }
}
