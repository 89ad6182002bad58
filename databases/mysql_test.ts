/**
 * What a server may not get out of us: a password in the clear where others hear it.
 */

import { Buffer } from "node:buffer";
import { equal, rejects } from "node:assert/strict";
import type { ConnectionSettings } from "../vault/database/ports.ts";
import { mysqlPlugin } from "./mysql.ts";

const PASSWORD = "a-Password-of-the-vault";

function settings(place: string): ConnectionSettings {
  const none = {
    maxConnectionLifetime: 0,
    tlsCa: "",
    tlsCertificateKey: "",
    tlsSkipVerify: false,
    passwordAuthentication: "password" as const,
  };
  return {
    ...none,
    url: `{{username}}:{{password}}@${place}/`,
    username: "vault",
    password: PASSWORD,
    maxOpenConnections: 1,
  };
}

/** A packet of the protocol: its length, its number, its payload. */
function packet(number: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.of(payload.length & 255, payload.length >> 8, 0, number), payload]);
}

/** "Protocol::HandshakeV10" of a server that knows no TLS. */
const HELLO = packet(
  0,
  Buffer.concat([
    Buffer.of(10),
    Buffer.from("8.0.0\0"),
    Buffer.from([1, 0, 0, 0]),
    Buffer.from("12345678\0"),
    // PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, MULTI_STATEMENTS.
    Buffer.from([0x00, 0x82, 33, 2, 0, 0x09, 0x00, 21]),
    Buffer.alloc(10),
    Buffer.from("901234567890\0"),
    Buffer.from("mysql_native_password\0"),
  ]),
);
const WANTS_IT_CLEAR = packet(2, Buffer.from("\xfemysql_clear_password\0", "latin1"));
const OK = (number: number) => packet(number, Buffer.from([0, 0, 0, 2, 0, 0, 0]));

/** Lets one client in that sends its password as it is; the promise is of all that the client said. */
async function greedyServer(listener: Deno.Listener): Promise<string> {
  using connection = await listener.accept();
  const buffer = new Uint8Array(4096);
  let heard = "";
  const hear = async () => {
    const read = await connection.read(buffer).catch(() => null);
    if (read !== null) heard += Buffer.from(buffer.subarray(0, read)).toString("latin1");
    return read !== null;
  };
  await connection.write(HELLO);
  if (!await hear()) return heard;
  await connection.write(WANTS_IT_CLEAR);
  if (await hear()) await connection.write(OK(4));
  if (await hear()) await connection.write(OK(1));
  // COM_QUIT, after which it is the server that closes.
  await hear();
  return heard;
}

Deno.test("a server on the network that asks for the password in the clear doesn't get it", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const heard = greedyServer(listener);
  const server = mysqlPlugin.open(settings(`tcp(127.0.0.1:${(listener.addr as Deno.NetAddr).port})`));
  await rejects(server.ping(), (error: unknown) => {
    equal(
      mysqlPlugin.messageOf(error),
      "the server asks for the password in the clear, which goes over TLS or a unix socket alone",
    );
    return true;
  });
  await server.close();
  equal((await heard).includes(PASSWORD), false);
});

Deno.test("over a unix socket it gets it: nobody else hears it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    using listener = Deno.listen({ transport: "unix", path: `${folder}/sock` });
    const heard = greedyServer(listener);
    const server = mysqlPlugin.open(settings(`unix(${folder}/sock)`));
    await server.ping();
    await server.close();
    equal((await heard).includes(PASSWORD), true);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
