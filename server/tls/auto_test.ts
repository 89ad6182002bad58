import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import {
  configError,
  DAY_MS,
  madeCa,
  madeServer,
  openssl,
  opensslTest,
  RecordingLogger,
  ShiftedClock,
  systemRandom,
  until,
  wanted,
  withFolder,
} from "./_fixtures.ts";
import { type AutoTls, type AutoTlsOptions, ensureAutoTls } from "./auto.ts";
import { autoTlsPaths } from "./auto_files.ts";
import type { TlsPair } from "./material.ts";

/** One start: everything is closed again before this returns. */
async function start(dir: string, more: Partial<AutoTlsOptions> = {}): Promise<AutoTls & { logger: RecordingLogger }> {
  const logger = new RecordingLogger();
  const clock = new ShiftedClock();
  const auto = await ensureAutoTls({ dir, names: wanted(), clock, random: systemRandom, logger, ...more });
  await auto.material.close();
  return { ...auto, logger };
}

function startError(dir: string, more: Partial<AutoTlsOptions> = {}) {
  return configError(() => start(dir, more));
}

async function withTlsFolder(body: (dir: string) => Promise<void>): Promise<void> {
  await withFolder((folder) => body(join(folder, "tls")));
}

function namesIn({ certPem }: TlsPair): string {
  return new X509Certificate(certPem).subjectAltName ?? "";
}

async function writeAll(dir: string, ca: TlsPair | null, server: TlsPair | null): Promise<void> {
  await Deno.mkdir(dir, { mode: 0o700 });
  const paths = autoTlsPaths(dir);
  const files: [string, string | undefined][] = [
    [paths.caCert, ca?.certPem],
    [paths.caKey, ca?.keyPem],
    [paths.serverCert, server?.certPem],
    [paths.serverKey, server?.keyPem],
  ];
  for (const [path, text] of files) if (text !== undefined) await Deno.writeTextFile(path, text, { mode: 0o600 });
}

Deno.test("ensureAutoTls() makes four files with their modes at the first start, and serves with them", async () => {
  await withTlsFolder(async (dir) => {
    const { material, paths, caPem, caFingerprint, isNew, logger } = await start(dir, {
      names: wanted(["vault.example.com"], { dnsNames: ["vm"], ipAddresses: ["10.0.0.5"] }),
    });
    const modes = Object.values(paths).map((path) => (Deno.statSync(path).mode! & 0o777).toString(8));
    assert.deepEqual(modes, ["644", "600", "644", "600"]);
    assert.equal(Deno.statSync(dir).mode! & 0o777, 0o700);
    assert.equal((await Array.fromAsync(Deno.readDir(dir))).length, 4);
    assert.equal(caPem, await Deno.readTextFile(paths.caCert));
    assert.equal(caFingerprint, new X509Certificate(caPem).fingerprint256);
    assert.match(caFingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    assert.equal(isNew, true);
    const pair = material.current();
    for (const name of ["DNS:localhost", "DNS:vault.example.com", "DNS:vm", "127.0.0.1", "::1", "10.0.0.5"]) {
      assert.ok(namesIn(pair).includes(name), name);
    }
    assert.ok(!JSON.stringify(logger.events).includes("PRIVATE"));
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, cert: pair.certPem, key: pair.keyPem, onListen() {} },
      () => new Response("hello"),
    );
    using client = Deno.createHttpClient({ caCerts: [caPem] });
    assert.equal(await (await fetch(`https://localhost:${server.addr.port}/`, { client })).text(), "hello");
  });
});

Deno.test("ensureAutoTls() changes nothing when started again", async () => {
  await withTlsFolder(async (dir) => {
    const names = wanted(["vault.example.com"], { dnsNames: ["vm"], ipAddresses: ["10.0.0.5", "2001:db8::5"] });
    const first = await start(dir, { names });
    const second = await start(dir, { names });
    assert.deepEqual(second.material.current(), first.material.current());
    assert.equal(second.caFingerprint, first.caFingerprint);
    assert.equal(second.isNew, false);
    assert.deepEqual(second.logger.events, []);
    const fewer = { ...names, detected: { ...names.detected, ipAddresses: [] } };
    assert.deepEqual((await start(dir, { names: fewer })).material.current(), first.material.current());
  });
});

Deno.test("ensureAutoTls() leaves the ASN.1 library unloaded when the certificates are in place", async () => {
  await withTlsFolder(async (dir) => {
    await start(dir);
    const module = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    const code = `
      import { ensureAutoTls } from ${module("./auto.ts")};
      import { createRequire } from "node:module";
      import { ShiftedClock, RecordingLogger, systemRandom, wanted } from ${module("./_fixtures.ts")};
      const options = { clock: new ShiftedClock(), logger: new RecordingLogger(), random: systemRandom };
      const loaded = () => Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes("asn1"));
      for (const names of [wanted(), wanted([], {}, ["10.0.0.9"])]) {
        await (await ensureAutoTls({ ...options, dir: Deno.args[0], names })).material.close();
        console.log(loaded());
      }`;
    const file = await Deno.makeTempFile({ dir: join(dir, ".."), suffix: ".ts" });
    await Deno.writeTextFile(file, code);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const args = ["run", "-A", "--no-check", "--cached-only", "-c", config, file, dir];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    assert.equal(new TextDecoder().decode(stdout), "false\ntrue\n", new TextDecoder().decode(stderr));
  });
});

Deno.test("ensureAutoTls() signs a new server certificate when names that fit are added or taken away", async () => {
  await withTlsFolder(async (dir) => {
    const first = await start(dir, { names: wanted(["vault.example.com"]) });
    const add = await start(dir, { names: wanted(["vault.example.com", "eu.vault.example.com"], {}, ["192.0.2.7"]) });
    assert.equal(add.caFingerprint, first.caFingerprint);
    assert.notEqual(add.material.current().keyPem, first.material.current().keyPem);
    assert.ok(namesIn(add.material.current()).includes("DNS:eu.vault.example.com"));
    assert.ok(namesIn(add.material.current()).includes("192.0.2.7"));
    assert.equal(add.logger.named("tls_server_certificate_issued").length, 1);
    const less = await start(dir, { names: wanted() });
    assert.ok(!namesIn(less.material.current()).includes("vault.example.com"));
  });
});

Deno.test("ensureAutoTls() refuses a new host name that the CA may not sign, and says that it takes a new CA", async () => {
  await withTlsFolder(async (dir) => {
    const first = await start(dir, { names: wanted(["vault.example.com"]) });
    const error = await startError(dir, { names: wanted(["vault.example.com", "vault.example.org"]) });
    assert.ok(error.message.includes('"vault.example.org"') && error.message.includes("ca.pem"));
    for (const word of ["localhost, vault.example.com", "new CA", `move "${dir}" away`, "trust the new ca.pem"]) {
      assert.ok(error.hint?.includes(word), word);
    }
    await Deno.rename(dir, `${dir}.old`);
    const again = await start(dir, { names: wanted(["vault.example.org"]) });
    assert.notEqual(again.caFingerprint, first.caFingerprint);
  });
});

Deno.test("ensureAutoTls() leaves out a host's own name that the CA may not sign, and warns once a start", async () => {
  await withTlsFolder(async (dir) => {
    const first = await start(dir, { names: wanted([], { dnsNames: ["container-1"] }) });
    const other = wanted([], { dnsNames: ["container-2"], ipAddresses: ["10.0.0.6"] });
    const second = await start(dir, { names: other });
    assert.equal(second.caFingerprint, first.caFingerprint);
    assert.ok(!namesIn(second.material.current()).includes("container"));
    assert.ok(namesIn(second.material.current()).includes("10.0.0.6"));
    assert.deepEqual(second.logger.named("tls_host_name_left_out").map((one) => one.fields.name), ["container-2"]);
    const third = await start(dir, { names: other });
    assert.deepEqual(third.material.current(), second.material.current());
  });
});

Deno.test("ensureAutoTls() renews a server certificate in its last 30 days, and one past its end", async () => {
  for (const [ageDays, isRenewed] of [[360, false], [368, true], [398, true], [450, true]] as const) {
    await withTlsFolder(async (dir) => {
      const ca = await madeCa();
      const old = await madeServer(ca, wanted().asked, ageDays);
      await writeAll(dir, ca, old);
      const { material } = await start(dir);
      assert.equal(material.current().keyPem !== old.keyPem, isRenewed, `${ageDays} days`);
      assert.ok(material.notAfter > Date.now());
    });
  }
});

Deno.test("ensureAutoTls() does not renew for ever when the CA itself is near its end", async () => {
  await withTlsFolder(async (dir) => {
    const ca = await madeCa(["localhost"], 3640);
    const server = await madeServer(ca);
    await writeAll(dir, ca, server);
    assert.equal((await start(dir)).material.current().keyPem, server.keyPem);
  });
});

Deno.test("ensureAutoTls() replaces a server certificate from the future", async () => {
  await withTlsFolder(async (dir) => {
    const ca = await madeCa();
    const early = await madeServer(ca, wanted().asked, -20);
    await writeAll(dir, ca, early);
    assert.notEqual((await start(dir)).material.current().keyPem, early.keyPem);
  });
});

Deno.test("ensureAutoTls() renews while it runs, and takes over what an operator puts there", async () => {
  await withTlsFolder(async (dir) => {
    const [clock, logger] = [new ShiftedClock(), new RecordingLogger()];
    const intervals = { reloadIntervalSeconds: 0.01, renewalIntervalSeconds: 0.05 };
    const options = { dir, names: wanted(), clock, random: systemRandom, logger, ...intervals };
    const { material, caPem, paths } = await ensureAutoTls(options);
    try {
      const told: TlsPair[] = [];
      material.onChange((pair) => told.push(pair));
      clock.offsetMs = 380 * DAY_MS;
      await until(() => told.length === 1, "the renewed certificate");
      assert.ok(material.notAfter > clock.now() + 390 * DAY_MS);
      assert.ok(new X509Certificate(told[0]!.certPem).verify(new X509Certificate(caPem).publicKey));
      const failures = () => logger.named("tls_renewal_failed").map((one) => one.fields.reason);
      await Deno.writeTextFile(paths.caKey, "broken");
      await until(() => String(failures().at(-1)).includes("ca.key"), "the broken authority in the log");
      for (const path of Object.values(paths)) await Deno.remove(path);
      await until(() => String(failures().at(-1)).includes("are gone"), "the missing authority in the log");
      assert.deepEqual(await Array.fromAsync(Deno.readDir(dir)), [], "no authority is made that no agent knows");
      assert.deepEqual(material.current(), told[0]);
    } finally {
      await material.close();
    }
  });
});

Deno.test("ensureAutoTls() makes the server's pair again when both its files were removed", async () => {
  await withTlsFolder(async (dir) => {
    const first = await start(dir);
    await Deno.remove(first.paths.serverCert);
    await Deno.remove(first.paths.serverKey);
    const second = await start(dir);
    assert.equal(second.caFingerprint, first.caFingerprint);
    assert.notEqual(second.material.current().keyPem, first.material.current().keyPem);
  });
});

Deno.test("ensureAutoTls() refuses incomplete pairs, and never makes up the other half", async () => {
  for (const missing of [["ca.pem"], ["ca.key"], ["server.pem"], ["server.key"], ["ca.pem", "ca.key"]]) {
    await withTlsFolder(async (dir) => {
      await start(dir);
      for (const name of missing) await Deno.remove(join(dir, name));
      const before = (await Array.fromAsync(Deno.readDir(dir))).length;
      const error = await startError(dir);
      for (const name of missing) assert.ok(error.message.includes(join(dir, name)), error.message);
      assert.match(error.hint ?? "", missing[0]!.startsWith("ca") ? /backup, or move ".*" away/ : /^Remove ".*server/);
      assert.equal((await Array.fromAsync(Deno.readDir(dir))).length, before);
    });
  }
});

Deno.test("ensureAutoTls() refuses unreadable and mismatched files, names them and says what to do", async () => {
  const broken: [string, string, RegExp][] = [
    ["ca.pem", "garbage", /ca\.pem" holds no certificate/],
    ["ca.key", "garbage", /ca\.key" must hold exactly one private key/],
    ["server.pem", "", /server\.pem" holds no certificate/],
    ["server.key", "garbage", /server\.key" must hold exactly one private key/],
  ];
  for (const [name, text, message] of broken) {
    await withTlsFolder(async (dir) => {
      await start(dir);
      await Deno.writeTextFile(join(dir, name), text);
      const error = await startError(dir);
      assert.match(error.message, message);
      assert.ok(error.hint?.includes("start again"));
    });
  }
  const ca = await madeCa();
  const [one, two, other] = [await madeServer(ca), await madeServer(ca), await madeCa()];
  const mismatched: [TlsPair, TlsPair, RegExp][] = [
    [ca, { certPem: one.certPem, keyPem: two.keyPem }, /server\.key" does not belong to .*server\.pem"/],
    [{ certPem: ca.certPem, keyPem: other.keyPem }, one, /ca\.key" does not belong to .*ca\.pem"/],
    [other, one, /server\.pem" was not signed by .*ca\.pem"/],
    [one, one, /ca\.pem" is not a certificate authority/],
  ];
  for (const [caPair, server, message] of mismatched) {
    await withTlsFolder(async (dir) => {
      await writeAll(dir, caPair, server);
      const error = await startError(dir);
      assert.match(error.message, message);
      assert.match(error.hint ?? "", /start again/);
    });
  }
});

Deno.test("ensureAutoTls() refuses a CA that expired or is not valid yet", async () => {
  for (
    const [ageDays, message] of [[3700, /ca\.pem" expired on 20/], [-10, /ca\.pem" is valid only from 20/]] as const
  ) {
    await withTlsFolder(async (dir) => {
      const ca = await madeCa(["localhost"], ageDays);
      await writeAll(dir, ca, await madeServer(ca, wanted().asked, ageDays));
      const error = await startError(dir);
      assert.match(error.message, message);
      assert.match(error.hint ?? "", /start again; every agent must then trust the new ca\.pem$/);
    });
  }
});

Deno.test("ensureAutoTls() refuses keys and a folder that others may read, and says the chmod", async () => {
  await withTlsFolder(async (dir) => {
    const { paths } = await start(dir);
    for (const path of [paths.caKey, paths.serverKey]) {
      await Deno.chmod(path, 0o640);
      assert.equal((await startError(dir)).hint, `chmod 600 ${path}`);
      await start(dir, { keyMode: { credentialsDir: dir } });
      await Deno.chmod(path, 0o600);
    }
    await Deno.chmod(dir, 0o755);
    assert.equal((await startError(dir)).hint, `chmod 700 ${dir}`);
  });
});

Deno.test("ensureAutoTls() fills a folder that was made before, and refuses one that cannot be", async () => {
  await withTlsFolder(async (dir) => {
    await Deno.mkdir(dir, { mode: 0o700 });
    assert.equal((await start(dir)).isNew, true);
    await startError(join(dir, "ca.pem"));
    await startError(join(dir, "absent", "tls"));
  });
});

opensslTest("ensureAutoTls() gives the fingerprint that openssl prints", async () => {
  await withTlsFolder(async (dir) => {
    const { paths, caFingerprint } = await start(dir);
    const { text } = await openssl("x509", "-noout", "-fingerprint", "-sha256", "-in", paths.caCert);
    assert.equal(text.trim().split("=")[1], caFingerprint);
    assert.equal((await openssl("verify", "-x509_strict", "-CAfile", paths.caCert, paths.serverCert)).ok, true);
  });
});
