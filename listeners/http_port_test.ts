import { deepEqual, equal, fail, match, ok, rejects } from "node:assert/strict";
import { connect } from "node:net";
import { collectTlsNames, ensureAutoTls } from "../server/tls/mod.ts";
import { MemoryLogger } from "../tests/fakes/ports.ts";
import { soon } from "../tests/soon.ts";
import { HttpPort, type HttpPortOptions, RelayThread } from "./mod.ts";

const GET = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

async function openPort(
  thread: RelayThread | undefined,
  options: Partial<HttpPortOptions> = {},
  hostname = "127.0.0.1",
) {
  const logger = new MemoryLogger();
  const port = await HttpPort.open({ hostname, port: 0 }, {
    name: "test",
    logger,
    handler: () => new Response("here"),
    onError: () => new Response(null, { status: 500 }),
    thread,
    ...options,
  });
  const url = `http://127.0.0.1:${port.port}/`;
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port: port.port });
  return { port, logger, url, connect, [Symbol.asyncDispose]: () => port.shutdown(500) };
}

type Open = (options?: Partial<HttpPortOptions>, hostname?: string) => ReturnType<typeof openPort>;

/** Runs a test with the relay in this thread, and with the relay in a thread of its own. */
function testPort(behaviour: string, run: (open: Open, thread: RelayThread | undefined) => Promise<void>): void {
  Deno.test(`HttpPort ${behaviour}`, () => run((...about) => openPort(undefined, ...about), undefined));
  Deno.test(`HttpPort with a thread ${behaviour}`, async () => {
    const deaths: string[] = [];
    const thread = new RelayThread({ onDeath: (reason) => void deaths.push(reason) });
    try {
      await run((...about) => openPort(thread, ...about), thread);
    } finally {
      await thread.close();
    }
    deepEqual(deaths, []);
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function say(connection: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Waits until the other side has closed: it takes line breaks before a request until then. */
async function closedByPeer(connection: Deno.Conn): Promise<void> {
  for (let left = 200; left > 0; left--) {
    await pause(100);
    if (await connection.write(Uint8Array.of(10)).catch(() => null) === null) return;
  }
  throw new Error("The connection stands");
}

/** What comes until the other side closes, or until it fits. */
async function hear(connection: Deno.Conn, fits: RegExp = /$^/): Promise<{ text: string; isClosed: boolean }> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  do {
    const length = await soon(connection.read(buffer).catch(() => null));
    if (length === null) return { text, isClosed: true };
    text += new TextDecoder().decode(buffer.subarray(0, length));
  } while (!fits.test(text));
  return { text, isClosed: false };
}

testPort("answers 400 to a head that can be read in two ways, and takes nothing that follows it", async (open) => {
  const asked: string[] = [];
  await using served = await open({
    handler: async (request) => {
      asked.push(`${new URL(request.url).pathname} ${await request.text()}`);
      return new Response("here");
    },
  });
  const both = "transfer-encoding: chunked\r\ncontent-length: 4\r\n";
  const second = "GET /second HTTP/1.1\r\nhost: a\r\n\r\n";
  for (const inPieces of [false, true]) {
    using connection = await served.connect();
    await say(connection, GET);
    await hear(connection, /here/);
    const request = `POST /first HTTP/1.1\r\nhost: a\r\n${both}\r\n0\r\n\r\n${second}`;
    for (const part of inPieces ? request.split(/(?<=\n)/) : [request]) {
      await say(connection, part).catch(() => {});
      if (inPieces) await pause(20);
    }
    const { text, isClosed } = await hear(connection);
    match(text, /^HTTP\/1\.1 400 /);
    ok(isClosed && !text.includes("here"), text);
  }
  deepEqual(asked, ["/ ", "/ "]);
});

testPort("passes requests on, one after the other on one connection", async (open) => {
  await using served = await open({ handler: async (request) => new Response(`<${await request.text()}>`) });
  using connection = await served.connect();
  for (const body of ["one", "two", ""]) {
    await say(connection, `LIST /x HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    match((await hear(connection, />/)).text, new RegExp(`200 OK[^]*<${body}>`));
  }
});

testPort("takes a head in single bytes, a body after 100 Continue, and two requests at once", async (open) => {
  await using served = await open({ handler: async (request) => new Response(`<${await request.text()}>`) });
  using bytewise = await served.connect();
  for (const byte of GET) await say(bytewise, byte);
  match((await hear(bytewise, />/)).text, /<>/);
  using waiting = await served.connect();
  await say(waiting, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n");
  match((await hear(waiting, /Continue\r\n\r\n/)).text, /^HTTP\/1\.1 100/);
  await say(waiting, "abc");
  match((await hear(waiting, />/)).text, /<abc>/);
  using both = await served.connect();
  await say(both, GET + GET);
  match((await hear(both, /<>[^]*<>/)).text, /<>[^]*<>/);
});

testPort(
  "answers a client that closes its side after the request, and one that asks for the connection's end",
  async (open) => {
    await using served = await open({
      handler: async () => {
        await pause(50);
        return new Response("late");
      },
    });
    using half = await served.connect();
    await say(half, GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
    const { text, isClosed } = await hear(half);
    deepEqual([text.endsWith("late"), isClosed], [true, true]);
  },
);

testPort("carries many megabytes both ways, to a client that reads late", async (open) => {
  const size = 8 * 1024 * 1024;
  await using served = await open({ handler: async (request) => new Response(await request.bytes()) });
  const body = crypto.getRandomValues(new Uint8Array(65_536));
  const whole = new Uint8Array(size);
  for (let at = 0; at < size; at += body.length) whole.set(body, at);
  const answer = await fetch(served.url, { method: "POST", body: whole });
  await pause(200);
  deepEqual(await answer.bytes(), whole);
});

testPort("answers a client that has ended its side after its request", async (open) => {
  const handler = async (request: Request) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return new Response(request.signal.aborted ? "<gone>" : "<here>");
  };
  await using served = await open({ handler });
  using connection = await served.connect();
  await say(connection, GET);
  await connection.closeWrite();
  const { text, isClosed } = await hear(connection);
  match(text, /200 OK[^]*<here>/);
  equal(isClosed, true);
});

testPort("tells the handler when its caller goes away", async (open) => {
  const gone = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  await using served = await open({
    handler: async (request) => {
      request.signal.addEventListener("abort", () => gone.resolve());
      asked.resolve();
      await gone.promise;
      return new Response();
    },
  });
  const connection = await served.connect();
  await say(connection, GET);
  await asked.promise;
  connection.close();
  await soon(gone.promise);
});

testPort(
  "closes who says nothing, who is slow with a head, and who rests too long; not who is answered late",
  async (open) => {
    const handler = async () => {
      await pause(600);
      return new Response("late");
    };
    await using served = await open({ handler, limits: { askingMs: 200, restingMs: 400 } });
    using silent = await served.connect();
    using slow = await served.connect();
    const trickle = (async () => {
      for (let i = 0; i < 10; i++) await pause(50).then(() => say(slow, "x"));
    })().catch(() => {});
    using patient = await served.connect();
    const askedAt = performance.now();
    await say(patient, GET);
    deepEqual(await hear(silent), { text: "", isClosed: true });
    deepEqual(await hear(slow), { text: "", isClosed: true });
    await trickle;
    const answered = await hear(patient, /late/);
    match(answered.text, /late/);
    deepEqual(await hear(patient), { text: "", isClosed: true });
    const closedAfter = performance.now() - askedAt;
    ok(closedAfter > 600 + 400, `closed ${closedAfter} ms after it had asked`);
  },
);

testPort("closes a slow head on a connection that has had an answer", async (open) => {
  await using served = await open({ limits: { askingMs: 200, restingMs: 60_000 } });
  using connection = await served.connect();
  await say(connection, GET);
  match((await hear(connection, /here/)).text, /here/);
  await say(connection, "GET / HT");
  equal((await hear(connection)).isClosed, true);
});

testPort("closes who does not take an answer", async (open) => {
  const big = new Uint8Array(64 * 1024 * 1024);
  await using served = await open({ handler: () => new Response(big), limits: { takingMs: 300 } });
  using connection = await served.connect();
  await say(connection, GET);
  await closedByPeer(connection);
  let received = 0;
  const buffer = new Uint8Array(1024 * 1024);
  for (;;) {
    const length = await connection.read(buffer).catch(() => null);
    if (length === null) break;
    received += length;
  }
  ok(received < big.length, `${received} bytes came`);
});

testPort("speaks no HTTP/2, whose connections ask and rest at once", async (open) => {
  await using served = await open();
  using connection = await served.connect();
  await say(connection, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  deepEqual(await hear(connection), { text: "", isClosed: true });
});

testPort("lets the longest idle connection make room, and answers a newcomer meanwhile", async (open) => {
  await using served = await open({ places: 4 });
  const idle: Deno.Conn[] = [];
  for (let i = 0; i < 4; i++) idle.push(await served.connect());
  await pause(600);
  equal(await (await fetch(served.url)).text(), "here");
  equal((await hear(idle[0]!)).isClosed, true);
  await say(idle[1]!, GET);
  match((await hear(idle[1]!, /here/)).text, /here/);
  for (const connection of idle) connection.close();
});

testPort(
  "has more places where there are descriptors for them, and asks once for those that there are not",
  async (open) => {
    const asked: number[] = [];
    const morePlaces = (wanted: number) => {
      asked.push(wanted);
      return asked.length === 1 ? wanted : -5;
    };
    await using served = await open({ places: 2, morePlaces });
    const connections: Deno.Conn[] = [];
    for (let i = 0; i < 4; i++) {
      connections.push(await served.connect());
      await say(connections[i]!, GET);
      match((await hear(connections[i]!, /here/)).text, /here/);
    }
    for (let i = 0; i < 2; i++) {
      using late = await served.connect();
      equal((await hear(late)).isClosed, true);
    }
    deepEqual(asked, [2, 4]);
    for (const connection of connections) connection.close();
  },
);

testPort("closes newcomers while all its places are busy or young", async (open) => {
  await using served = await open({ places: 2 });
  const [first, second] = [await served.connect(), await served.connect()];
  using third = await served.connect();
  equal((await hear(third)).isClosed, true);
  await say(first!, GET);
  match((await hear(first!, /here/)).text, /here/);
  for (const connection of [first, second]) connection!.close();
});

testPort("answers 200 callers who come at the same moment", async (open) => {
  await using served = await open({
    handler: async () => {
      await pause(20);
      return new Response("here");
    },
  });
  const answers = Array.from({ length: 200 }, async () => {
    using connection = await served.connect();
    await say(connection, GET);
    return (await hear(connection, /here/)).text;
  });
  for (const answer of await Promise.all(answers)) match(answer, /here/);
});

testPort("is not held up by connections that rest inside", async (open) => {
  await using served = await open();
  const resting = await Promise.all(Array.from({ length: 30 }, async (_, index) => {
    const connection = await served.connect();
    await say(connection, GET);
    if (index < 24) match((await hear(connection, /here/)).text, /here/);
    return connection;
  }));
  for (const connection of resting.slice(24)) match((await hear(connection, /here/)).text, /here/);
  for (const connection of resting) connection.close();
});

testPort("survives clients that break off at any moment", async (open) => {
  await using served = await open({ handler: async (request) => new Response(await request.text()) });
  const post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n";
  for (let round = 0; round < 100; round++) {
    const connection = await served.connect();
    await say(connection, (round % 2 ? post : GET).slice(0, 1 + round % post.length));
    if (round % 3 === 0) await pause(2);
    connection.close();
  }
  equal(await (await fetch(served.url)).text(), "here".slice(0, 0));
});

testPort("rejects where it can't listen, and leaves nothing behind", async (open, thread) => {
  await using served = await open();
  const openAgain = () =>
    HttpPort.open({ hostname: "127.0.0.1", port: served.port.port }, {
      thread,
      name: "again",
      logger: new MemoryLogger(),
      handler: () => new Response(),
      onError: () => new Response(),
    });
  await rejects(openAgain(), { code: "EADDRINUSE" });
});

testPort(
  "keeps its own socket in the folder it is given, for this user alone, and takes it away",
  async (open, given) => {
    const inFolder = async (folder: string, look: (port: Awaited<ReturnType<Open>>) => Promise<void>) => {
      const thread = given && new RelayThread({ folder, onDeath: (reason) => fail(reason) });
      const served = await open({ folder, thread });
      await look(served);
      equal(await (await fetch(served.url)).text(), "here");
      await served[Symbol.asyncDispose]();
      await thread?.close();
    };
    const folder = await Deno.makeTempDir();
    const names = () => [...Deno.readDirSync(folder)].map(({ name }) => name);
    await Deno.writeTextFile(`${folder}/test.http`, "left by a process that was killed");
    await inFolder(folder, async ({ url }) => {
      deepEqual(names(), []);
      await (await fetch(url)).text();
      deepEqual(names(), ["test.http"]);
    });
    deepEqual(names(), []);
    const long = `${folder}/${"x".repeat(100)}`;
    await Deno.mkdir(long);
    await inFolder(long, () => Promise.resolve());
    deepEqual([...Deno.readDirSync(long)], []);
    await Deno.remove(folder, { recursive: true });
  },
);

/** Asks from an address of this machine; `Deno.connect` has no choice of its own. */
function askFrom(localAddress: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, localAddress });
    let text = "";
    socket.on("data", (bytes) => text += String(bytes)).on("end", () => resolve(text)).on("error", reject);
    socket.write(GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
  });
}

testPort(
  "tells the handler who asks, whatever the request says of it, for more peers than are remembered",
  async (open) => {
    await using served = await open({ handler: (_, peer) => new Response(`<${peer}>`) }, "0.0.0.0");
    const ask = (n: number) => askFrom(`127.0.0.${n}`, served.port.port);
    const numbers = Array.from({ length: 40 }, (_, i) => 2 + i % 20);
    const answers = await Promise.all(numbers.map(ask));
    answers.forEach((answer, i) => match(answer, new RegExp(`<127\\.0\\.0\\.${numbers[i]}>`)));
    for (const n of numbers) match(await ask(n), new RegExp(`<127\\.0\\.0\\.${n}>`));
  },
);

testPort("lets slow bodies make room, longest first, and answers newcomers meanwhile", async (open) => {
  await using served = await open({
    places: 6,
    placesInside: 4,
    handler: async (request) => new Response(await request.text()),
  });
  const slow = await Promise.all(Array.from({ length: 6 }, async () => {
    const connection = await served.connect();
    await say(connection, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc");
    return connection;
  }));
  const began = performance.now();
  for (let asked = false; !asked;) {
    using newcomer = await served.connect();
    await say(newcomer, GET);
    asked = /200 OK/.test((await hear(newcomer, /\r\n\r\n/)).text);
    ok(performance.now() - began < 20_000, "a newcomer is answered while bodies are slow");
  }
  for (const connection of slow) connection.close();
});

testPort("speaks TLS, and shows another certificate once it is given one", async (open, given) => {
  const material = async (names: readonly string[]) => {
    const folder = await Deno.makeTempDir();
    const auto = await ensureAutoTls({
      dir: `${folder}/tls`,
      names: collectTlsNames({ hostname: "localhost", addresses: [], tlsHostnames: names }),
      keyMode: {},
      clock: { now: () => Date.now(), monotonic: () => performance.now() },
      random: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
      logger: new MemoryLogger(),
    });
    const pair = auto.material.current();
    const ca = await Deno.readTextFile(auto.paths.caCert);
    await auto.material.close();
    await Deno.remove(folder, { recursive: true });
    return { pair, ca };
  };
  const [first, second] = [await material(["one.test"]), await material(["two.test"])];
  await using served = await open({ certificate: first.pair, handler: (_, peer) => new Response(peer) });
  const ask = async (ca: string) => {
    using client = Deno.createHttpClient({ caCerts: [ca] });
    return await (await fetch(`https://localhost:${served.port.port}/`, { client })).text();
  };
  equal(await ask(first.ca), "127.0.0.1");
  const held = await Deno.connectTls({ hostname: "localhost", port: served.port.port, caCerts: [first.ca] });
  await say(held, GET);
  match((await hear(held, /127/)).text, /127/);
  served.port.replaceCertificate(second.pair);
  // A thread hears of it a moment later.
  await pause(given === undefined ? 0 : 200);
  equal(await ask(second.ca), "127.0.0.1");
  await rejects(ask(first.ca));
  await say(held, GET);
  match((await hear(held, /127/)).text, /127/);
  held.close();
  using silent = await served.connect();
  await say(silent, "no TLS at all, and then nothing");
  equal((await hear(silent)).isClosed, true);
});
