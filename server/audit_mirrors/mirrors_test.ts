import { deepEqual, equal, match, throws } from "node:assert/strict";
import { MemoryLogger } from "../../tests/fakes/ports.ts";
import { ALLOWED } from "../../vault/audit/encoding.ts";
import { withTrail } from "../../vault/audit/_test_support.ts";
import { openMirror, parseMirror } from "./mod.ts";

const MESSAGE = /^<110>1 2026-03-20T10:00:00\.000Z \S+ runevault [0-9]+ audit - (\{"seq":[0-9]+,.*\})$/;

async function within<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => timer = setTimeout(() => reject(new Error("Nothing came")), 5000));
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** A socket that goes with its scope. */
function receiving(
  where: Deno.UdpListenOptions & { transport: "udp" } | { transport: "unixpacket"; path: string },
): { readonly socket: Deno.DatagramConn } & Disposable {
  const socket = where.transport === "udp" ? Deno.listenDatagram(where) : Deno.listenDatagram(where);
  return { socket, [Symbol.dispose]: () => socket.close() };
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("lines reach syslog over UDP, and the line in the message is the one in the file", async () => {
  using receiver = receiving({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = receiver.socket.addr as Deno.NetAddr;
  const mirror = await openMirror(parseMirror(`udp://127.0.0.1:${port}`), "/nowhere", new MemoryLogger());
  await withTrail(async (it) => {
    await it.trail.finish(it.request(), ALLOWED);
    const [bytes] = await within(receiver.socket.receive());
    equal(MESSAGE.exec(textOf(bytes))?.[1], it.lines()[0]);
    await it.close();
  }, { mirror });
});

Deno.test("lines reach a unix socket as /dev/log is", async () => {
  const folder = await Deno.makeTempDir({ prefix: "runevault-syslog-" });
  try {
    using receiver = receiving({ transport: "unixpacket", path: `${folder}/log` });
    const mirror = await openMirror(parseMirror(`unix://${folder}/log`), folder, new MemoryLogger());
    await withTrail(async (it) => {
      await it.trail.finish(it.request(), ALLOWED);
      match(textOf((await within(receiver.socket.receive()))[0]), MESSAGE);
      await it.close();
    }, { mirror });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("over TCP each message has its length before it, and a server that comes back gets what it missed", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const mirror = await openMirror(parseMirror(`tcp://127.0.0.1:${port}`), "/nowhere", new MemoryLogger());
  await withTrail(async (it) => {
    const first = await within(listener.accept());
    await it.trail.finish(it.request("read one"), ALLOWED);
    const [message] = frames(await within(readSome(first)));
    equal(MESSAGE.exec(message!)?.[1], it.lines()[0]);
    first.close();
    listener.close();
    await until(async () => {
      await it.trail.finish(it.request("read lost"), ALLOWED);
      return mirror.trouble() !== null;
    });
    const again = Deno.listen({ hostname: "127.0.0.1", port });
    await it.trail.finish(it.request("read two"), ALLOWED);
    using second = await within(again.accept());
    again.close();
    match(await within(readUntil(second, "read two")), /read two/);
    equal(mirror.trouble(), null);
    await it.close();
  }, { mirror });
});

Deno.test("with the file broken a second place that works is enough, and the file gets what it missed", async () => {
  using receiver = receiving({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = receiver.socket.addr as Deno.NetAddr;
  const mirror = await openMirror(parseMirror(`udp://127.0.0.1:${port}`), "/nowhere", new MemoryLogger());
  await withTrail(async (it) => {
    await it.trail.finish(it.request(), ALLOWED);
    await Deno.rename(it.path, `${it.path}.aside`);
    await Deno.symlink("/dev/full", it.path);
    it.trail.reopen();
    await it.trail.finish(it.request("read while broken"), ALLOWED);
    await it.changeRole("a");
    equal(it.trail.status().behind, 2);
    await Deno.remove(it.path);
    await Deno.rename(`${it.path}.aside`, it.path);
    await until(() => Promise.resolve(it.entries().length === 4));
    deepEqual(it.entries().map(({ seq, operation }) => [seq, operation]), [
      [1, "read x"],
      [2, "read while broken"],
      [3, "change"],
      [4, "audit_file_mended"],
    ]);
    await it.close();
  }, { mirror });
});

Deno.test("parseMirror() knows four places and names them for anything else", () => {
  equal(parseMirror("stdout"), "stdout");
  deepEqual(parseMirror("udp://[::1]:1514"), { transport: "udp", hostname: "::1", port: 1514 });
  deepEqual(parseMirror("tcp://logs.example"), { transport: "tcp", hostname: "logs.example", port: 514 });
  deepEqual(parseMirror("unix:///dev/log"), { transport: "unix", path: "/dev/log" });
  for (const bad of ["", "syslog", "http://x", "udp://", "tcp://x/path", "unix://dev/log", "unix://"]) {
    throws(() => parseMirror(bad), /audit-mirror/);
  }
});

async function until(isDone: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await isDone()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("It never happened");
}

async function readSome(connection: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(65_536);
  return textOf(buffer.subarray(0, await connection.read(buffer) ?? 0));
}

async function readUntil(connection: Deno.TcpConn, wanted: string): Promise<string> {
  let text = "";
  while (!text.includes(wanted)) text += await readSome(connection);
  return text;
}

/** Messages with their lengths before them (RFC 6587 §3.4.1). */
function frames(text: string): string[] {
  const found: string[] = [];
  for (let rest = text; rest !== "";) {
    const [, length] = /^([1-9][0-9]*) /.exec(rest)!;
    found.push(rest.slice(length!.length + 1, length!.length + 1 + Number(length)));
    rest = rest.slice(length!.length + 1 + Number(length));
  }
  return found;
}
