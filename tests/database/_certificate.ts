/**
 * A certificate for a database server, by openssl, with its authority and one that has nothing to do with it.
 *
 * @module
 */

/** Where the files are: `server.pem`, `server.key`, `ca.pem`, `other.pem`. */
export interface ServerCertificate {
  readonly folder: string;
}

/** Makes one for 127.0.0.1, in a folder. */
export async function makeCertificate(folder: string): Promise<ServerCertificate> {
  const run = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command("openssl", { args, cwd: folder }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  };
  for (const name of ["ca", "other"]) {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${name}.key`];
    await run("req", "-x509", ...key, "-out", `${name}.pem`, "-days", "2", "-subj", `/CN=${name}`);
  }
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "server.key"];
  await run("req", ...key, "-out", "server.csr", "-subj", "/CN=localhost");
  await Deno.writeTextFile(`${folder}/names`, "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
  await run("x509", "-req", "-in", "server.csr", ...signed, "-out", "server.pem");
  return { folder };
}
