/**
 * What deploy/cloud-init renders, with Terraform where it is there, and without.
 *
 * @module
 */

import { dirname } from "node:path";

const REPOSITORY = new URL("../../", import.meta.url).pathname;
const MODULE = `${REPOSITORY}deploy/cloud-init`;

/** The values of the module's variables that a test gives; names of deploy/cloud-init/variables.tf. */
export type Inputs = Readonly<Record<string, string | boolean | readonly string[]>>;

const DEFAULTS: Inputs = {
  allow_unsigned: false,
  tls_mode: "self-signed",
  tls_hostname: "",
  tls_certificate: "",
  tls_key_secret_id: "",
  team_secret_id: "",
  envector_api_key_id: "",
  vault_index_name: "",
  envector_endpoint: "",
  open_api: false,
  public_url: "",
  packages: [],
};

/**
 * As the module renders it; a test compares the two where Terraform is there.
 *
 * @param publicKey What deploy/minisign.pub holds; absent where there is none.
 */
export async function renderUserData(given: Inputs, publicKey?: string): Promise<string> {
  const inputs = { ...DEFAULTS, ...given };
  const files: Record<string, { mode: string; content: string }> = {
    "fetch-secret": { mode: "0700", content: String(inputs["fetch_secret"]) },
    "install.sh": { mode: "0700", content: await Deno.readTextFile(`${REPOSITORY}install.sh`) },
    "settings": { mode: "0600", content: settingsOf(inputs) },
    "setup.sh": { mode: "0700", content: await Deno.readTextFile(`${MODULE}/setup.sh`) },
  };
  if (inputs["tls_certificate"]) files["server.pem"] = { mode: "0644", content: String(inputs["tls_certificate"]) };
  if (publicKey !== undefined) files["minisign.pub"] = { mode: "0644", content: publicKey };
  const packages = ["curl", "ca-certificates", "minisign", ...inputs["packages"] as readonly string[]];
  const template = await Deno.readTextFile(`${MODULE}/cloud-init.yaml.tftpl`);
  const [, before, entry, after] = /^([^]*)%\{ for [^\n]*~\}\n([^]*)%\{ endfor ~\}\n([^]*)$/.exec(template)!;
  const entries = Object.keys(files).sort().map((path) =>
    entry!.replace('${jsonencode("/opt/runevault/${path}")}', () => json(`/opt/runevault/${path}`))
      .replace("${jsonencode(file.mode)}", () => json(files[path]!.mode))
      .replace("${jsonencode(file.content)}", () => json(files[path]!.content))
  );
  return before!.replace("${jsonencode(packages)}", () => json(packages)) + entries.join("") + after;
}

function settingsOf(inputs: Inputs): string {
  const settings: Record<string, unknown> = {
    ...inputs,
    grpc_addr: "0.0.0.0:50051",
    api_addr: inputs["open_api"] ? "0.0.0.0:8200" : "127.0.0.1:8200",
  };
  for (const other of ["fetch_secret", "packages", "open_api", "tls_certificate"]) delete settings[other];
  const lines = Object.keys(settings).sort().filter((name) => settings[name] !== "").map((name) =>
    `${name}=${settings[name]}\n`
  );
  return lines.join("");
}

/** Terraform writes these three as escapes, so that JSON may stand in HTML. */
function json(value: unknown): string {
  const escapes: Record<string, string> = { "<": "\\u003c", ">": "\\u003e", "&": "\\u0026" };
  return JSON.stringify(value).replace(/[<>&]/g, (character) => escapes[character]!);
}

/** Terraform's own rendering; the module needs no provider and no network. */
export async function renderByTerraform(folder: string, inputs: Inputs, publicKey?: string): Promise<string> {
  for (const path of ["install.sh", "deploy/cloud-init"]) {
    await Deno.mkdir(dirname(`${folder}/${path}`), { recursive: true });
    await new Deno.Command("cp", { args: ["-R", `${REPOSITORY}${path}`, `${folder}/${path}`] }).output();
  }
  if (publicKey !== undefined) await Deno.writeTextFile(`${folder}/deploy/minisign.pub`, publicKey);
  const call = {
    module: { it: { source: "./deploy/cloud-init", ...inputs } },
    output: { it: { value: "${module.it.user_data}" } },
  };
  await Deno.writeTextFile(`${folder}/main.tf.json`, JSON.stringify(call));
  await terraform(folder, "init", "-input=false");
  await terraform(folder, "apply", "-auto-approve", "-input=false");
  return await terraform(folder, "output", "-raw", "it");
}

/** Runs Terraform in a folder; throws with what it said where it fails. */
export async function terraform(folder: string, ...args: string[]): Promise<string> {
  const env = { TF_CLI_CONFIG_FILE: "/dev/null", CHECKPOINT_DISABLE: "1", TF_CLI_ARGS: "" };
  const { code, stdout, stderr } = await new Deno.Command("terraform", { args, cwd: folder, env }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (code !== 0) throw new Error(`terraform ${args.join(" ")}: ${out}${err}`);
  return out!;
}
