/**
 * Certificates for the tests, made by the `openssl` program: another implementation than the one under test.
 *
 * @module
 */

/** A certificate and its key, both PEM. */
export interface TestPair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** A private authority that lives in a temporary folder. */
export interface TestCa extends AsyncDisposable {
  readonly certPem: string;
  issue(commonName: string, extensions: readonly string[]): Promise<TestPair>;
}

export const SERVER_EXTENSIONS = ["subjectAltName=DNS:localhost,IP:127.0.0.1", "extendedKeyUsage=serverAuth"];
export const CLIENT_EXTENSIONS = ["extendedKeyUsage=clientAuth"];

/** Whether `openssl` is here; Debian's package is `openssl`. */
export async function hasOpenssl(): Promise<boolean> {
  return await openssl(["version"]).then(() => true, () => false);
}

export async function createTestCa(commonName: string): Promise<TestCa> {
  const folder = await Deno.makeTempDir({ prefix: "runevault-test-ca-" });
  const path = (name: string) => `${folder}/${name}`;
  await openssl([
    ...newCertificate(commonName, path("ca")),
    ...["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
  ]);
  let issued = 0;
  return {
    certPem: await Deno.readTextFile(path("ca.pem")),
    async issue(name, extensions) {
      const base = path(`issued-${++issued}`);
      const signing = ["-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-addext", "basicConstraints=CA:FALSE"];
      await openssl([...newCertificate(name, base), ...signing, ...extensions.flatMap((each) => ["-addext", each])]);
      return { certPem: await Deno.readTextFile(`${base}.pem`), keyPem: await Deno.readTextFile(`${base}.key`) };
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

function newCertificate(commonName: string, base: string): string[] {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${base}.key`];
  return ["req", "-x509", ...key, "-out", `${base}.pem`, "-days", "2", "-subj", `/CN=${commonName}`];
}

/** Runs openssl and returns what it printed, on both streams. */
export async function openssl(args: readonly string[], input = ""): Promise<string> {
  const command = new Deno.Command("openssl", { args: [...args], stdin: "piped", stdout: "piped", stderr: "piped" });
  const process = command.spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close().catch(() => {});
  const { success, stdout, stderr } = await process.output();
  const printed = `${new TextDecoder().decode(stdout)}${new TextDecoder().decode(stderr)}`;
  if (!success) throw new Error(`openssl ${args[0]}: ${printed}`);
  return printed;
}
