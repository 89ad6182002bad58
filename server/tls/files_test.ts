import assert from "node:assert/strict";
import { join } from "node:path";
import {
  configError,
  DAY_MS,
  LOOPBACK,
  madeCa,
  madeServer,
  pause,
  RecordingLogger,
  ShiftedClock,
  until,
  withFolder,
  writePair,
} from "./_fixtures.ts";
import { watchTlsFiles } from "./files.ts";
import type { TlsMaterial, TlsPair } from "./material.ts";
import type { MatchingPair } from "./pair.ts";

const INTERVAL_SECONDS = 0.02;
/** Long enough for several looks. */
const SEVERAL_LOOKS_MS = 150;

interface Watch {
  readonly folder: string;
  readonly ca: MatchingPair;
  readonly first: TlsPair;
  readonly certPath: string;
  readonly keyPath: string;
  readonly clock: ShiftedClock;
  readonly logger: RecordingLogger;
  readonly material: TlsMaterial;
}

/** Runs `body` with a watched pair that lies in `folder/server.pem` and `folder/server.key`. */
async function watching(body: (watch: Watch) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const ca = await madeCa();
    const first = await madeServer(ca);
    const paths = await writePair(folder, first);
    const [clock, logger] = [new ShiftedClock(), new RecordingLogger()];
    const material = await watchTlsFiles({ ...paths, clock, logger, intervalSeconds: INTERVAL_SECONDS });
    try {
      await body({ folder, ca, first, ...paths, clock, logger, material });
    } finally {
      await material.close();
    }
  });
}

function replaced(path: string, text: string): Promise<void> {
  return Deno.writeTextFile(`${path}.tmp`, text, { mode: 0o600 }).then(() => Deno.rename(`${path}.tmp`, path));
}

Deno.test("watchTlsFiles() gives the pair, its end, and each pair that replaces it", async () => {
  await watching(async ({ ca, first, certPath, keyPath, material, logger }) => {
    assert.deepEqual(material.current(), { certPem: first.certPem, keyPem: first.keyPem });
    assert.ok(Math.abs(material.notAfter - Date.now() - 397 * DAY_MS) < DAY_MS);
    const told: TlsPair[] = [];
    const forget = material.onChange((pair) => told.push(pair));
    const second = await madeServer(ca, LOOPBACK, 10);
    await replaced(certPath, second.certPem);
    await replaced(keyPath, second.keyPem);
    await until(() => told.length === 1, "the replacement");
    assert.deepEqual(told, [second]);
    assert.deepEqual(material.current(), second);
    assert.ok(material.notAfter < Date.now() + 388 * DAY_MS);
    await pause(SEVERAL_LOOKS_MS);
    assert.equal(told.length, 1, "a replacement is told once");
    assert.equal(logger.named("tls_certificate_replaced").length, 1);
    forget();
    const third = await madeServer(ca);
    await replaced(certPath, third.certPem);
    await replaced(keyPath, third.keyPem);
    await until(() => material.current().keyPem === third.keyPem, "the third pair");
    assert.equal(told.length, 1);
  });
});

Deno.test("watchTlsFiles() sees a file rewritten in place and a symbolic link pointed elsewhere", async () => {
  await withFolder(async (folder) => {
    const ca = await madeCa();
    const live = { certPath: join(folder, "live.pem"), keyPath: join(folder, "live.key") };
    const archive = async (n: number) => {
      await Deno.mkdir(join(folder, `${n}`));
      const pair = await madeServer(ca);
      const { certPath, keyPath } = await writePair(join(folder, `${n}`), pair);
      for (const [link, target] of [[live.certPath, certPath], [live.keyPath, keyPath]] as const) {
        await Deno.symlink(target, `${link}.tmp`);
        await Deno.rename(`${link}.tmp`, link);
      }
      return pair;
    };
    await archive(1);
    const options = { ...live, clock: new ShiftedClock(), logger: new RecordingLogger() };
    const material = await watchTlsFiles({ ...options, intervalSeconds: INTERVAL_SECONDS });
    const second = await archive(2);
    await until(() => material.current().keyPem === second.keyPem, "what the links point to");
    const third = await madeServer(ca);
    await writePair(join(folder, "2"), third);
    await until(() => material.current().keyPem === third.keyPem, "what was rewritten in place");
    await material.close();
  });
});

Deno.test("watchTlsFiles() waits, and logs nothing, while only one half is replaced for a moment", async () => {
  await withFolder(async (folder) => {
    const ca = await madeCa();
    const paths = await writePair(folder, await madeServer(ca));
    const logger = new RecordingLogger();
    const material = await watchTlsFiles({ ...paths, clock: new ShiftedClock(), logger, intervalSeconds: 0.5 });
    const second = await madeServer(ca);
    await replaced(paths.certPath, second.certPem);
    await pause(550); // one look finds the new certificate with the old key
    await replaced(paths.keyPath, second.keyPem);
    await until(() => material.current().keyPem === second.keyPem, "the second pair");
    assert.deepEqual(logger.named("tls_certificate_refused"), []);
    await material.close();
  });
});

Deno.test("watchTlsFiles() keeps the old pair beside a broken one, and logs each broken state once", async () => {
  await watching(async ({ ca, first, certPath, keyPath, material, logger }) => {
    const told: TlsPair[] = [];
    material.onChange((pair) => told.push(pair));
    const other = await madeServer(ca);
    const expired = await madeServer(ca, LOOPBACK, 400);
    const breakages: [string, () => Promise<unknown>][] = [
      ["unparsable certificate", () => replaced(certPath, "garbage")],
      ["missing certificate", () => Deno.remove(certPath)],
      ["another's certificate", () => replaced(certPath, other.certPem)],
      ["key readable by others", () => Deno.chmod(keyPath, 0o644)],
      ["expired pair", async () => {
        await replaced(certPath, expired.certPem);
        await replaced(keyPath, expired.keyPem);
      }],
    ];
    const refused = () => logger.named("tls_certificate_refused").length;
    for (const [what, breakIt] of breakages) {
      const before = refused();
      await breakIt();
      await until(() => refused() > before, what);
      await pause(SEVERAL_LOOKS_MS);
      const logged = refused();
      await pause(SEVERAL_LOOKS_MS);
      assert.equal(refused(), logged, `${what} is logged once`);
    }
    assert.deepEqual(material.current(), { certPem: first.certPem, keyPem: first.keyPem });
    assert.deepEqual(told, []);
    const logged = JSON.stringify(logger.events);
    for (const { keyPem } of [first, other, expired]) assert.ok(!logged.includes(keyPem.split("\n")[1]!));
    await replaced(certPath, other.certPem);
    await replaced(keyPath, other.keyPem);
    await until(() => told.length === 1, "a valid pair at last");
  });
});

Deno.test("watchTlsFiles() logs a broken state again when it comes back after a sound one", async () => {
  await watching(async ({ first, certPath, logger }) => {
    const refused = () => logger.named("tls_certificate_refused").length;
    await replaced(certPath, "garbage");
    await until(() => refused() === 1, "the first time");
    await replaced(certPath, first.certPem);
    await pause(SEVERAL_LOOKS_MS);
    await replaced(certPath, "garbage");
    await until(() => refused() === 2, "the second time");
  });
});

Deno.test("watchTlsFiles() takes a pair that is not valid yet into use when its time has come", async () => {
  await watching(async ({ ca, certPath, keyPath, clock, material, logger }) => {
    const early = await madeServer(ca);
    clock.offsetMs = -2 * DAY_MS;
    await replaced(certPath, early.certPem);
    await replaced(keyPath, early.keyPem);
    await until(() => logger.named("tls_certificate_refused").length === 1, "the refusal");
    assert.notEqual(material.current().keyPem, early.keyPem);
    clock.offsetMs = 0;
    await until(() => material.current().keyPem === early.keyPem, "the pair in use");
  });
});

Deno.test("watchTlsFiles() tells every listener, also when one fails", async () => {
  await watching(async ({ ca, certPath, keyPath, material, logger }) => {
    let told = 0;
    material.onChange(() => {
      throw new Error("listener broke");
    });
    material.onChange(() => told++);
    const second = await madeServer(ca);
    await replaced(certPath, second.certPem);
    await replaced(keyPath, second.keyPem);
    await until(() => told === 1, "the second listener");
    assert.equal(logger.named("tls_listener_not_updated")[0]?.fields.reason, "listener broke");
  });
});

Deno.test("watchTlsFiles() looks no more after close()", async () => {
  await watching(async ({ ca, first, certPath, keyPath, material, logger }) => {
    await material.close();
    const second = await madeServer(ca);
    await replaced(certPath, second.certPem);
    await replaced(keyPath, second.keyPem);
    await pause(SEVERAL_LOOKS_MS);
    assert.equal(material.current().keyPem, first.keyPem);
    assert.deepEqual(logger.events, []);
    await material.close();
  });
});

Deno.test("watchTlsFiles() refuses to start with a pair that cannot be used", async () => {
  await withFolder(async (folder) => {
    const ca = await madeCa();
    const [good, other] = [await madeServer(ca), await madeServer(ca)];
    const start = (paths: { certPath: string; keyPath: string }) =>
      configError(() => watchTlsFiles({ ...paths, clock: new ShiftedClock(), logger: new RecordingLogger() }));
    const mismatch = await start(await writePair(folder, { certPem: good.certPem, keyPem: other.keyPem }));
    assert.ok(mismatch.message.includes("server.key") && mismatch.message.includes("server.pem"));
    assert.match((await start(await writePair(folder, await madeServer(ca, LOOPBACK, 400)))).message, /expired on 20/);
    const paths = await writePair(folder, good);
    await Deno.chmod(paths.keyPath, 0o644);
    assert.equal((await start(paths)).hint, `chmod 600 ${paths.keyPath}`);
    const options = { ...paths, clock: new ShiftedClock(), logger: new RecordingLogger() };
    await (await watchTlsFiles({ ...options, keyMode: { credentialsDir: folder } })).close();
    assert.ok((await start({ ...paths, certPath: join(folder, "absent.pem") })).message.includes("absent.pem"));
  });
});

Deno.test("watchTlsFiles() starts with a pair that is not valid yet, and warns", async () => {
  await withFolder(async (folder) => {
    const paths = await writePair(folder, await madeServer(await madeCa()));
    const logger = new RecordingLogger();
    const material = await watchTlsFiles({ ...paths, clock: new ShiftedClock(-2 * DAY_MS), logger });
    assert.equal(logger.named("tls_certificate_not_yet_valid")[0]?.level, "warn");
    await material.close();
  });
});
