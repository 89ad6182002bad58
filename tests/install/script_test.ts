import { deepEqual, equal, match } from "node:assert/strict";
import { temporaryFolder } from "../started_server.ts";
import { missingCommands } from "./_programs.ts";

const INSTALL = new URL("../../install.sh", import.meta.url).pathname;

async function run(command: string, args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args], env }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** The unit as it would be installed, with a program that is there in place of ours. */
async function unitFile(folder: string, ...args: string[]): Promise<string> {
  const { code, text } = await run("sh", [INSTALL, "--print-unit", ...args]);
  equal(code, 0, text);
  const path = `${folder}/runevault.service`;
  await Deno.writeTextFile(path, text.replace(/^ExecStart=\S+/m, "ExecStart=/bin/true"));
  return path;
}

Deno.test({
  name: "shellcheck finds nothing in the shell scripts",
  ignore: missingCommands("shellcheck"),
  async fn() {
    const repository = new URL("../../", import.meta.url).pathname;
    const scripts = ["install.sh", "denow", ".ci/run"].map((name) => repository + name);
    deepEqual(await run("shellcheck", scripts), { code: 0, text: "" });
  },
});

Deno.test({
  name: "systemd takes the units without a word, and finds the service's exposure to be 2.0 or better",
  ignore: missingCommands("systemd-analyze"),
  async fn() {
    await using folder = await temporaryFolder();
    const unit = await unitFile(folder.path);
    deepEqual(await run("systemd-analyze", ["verify", "--man=no", unit]), { code: 0, text: "" });
    const { code, text } = await run("systemd-analyze", ["security", "--offline=true", "--threshold=20", unit]);
    match(text, /Overall exposure level for runevault.service: [01]\.\d OK/);
    equal(code, 0, text);
    const users = await unitFile(folder.path, "--user");
    const env = { XDG_RUNTIME_DIR: folder.path };
    deepEqual(await run("systemd-analyze", ["verify", "--user", "--man=no", users], env), { code: 0, text: "" });
  },
});

Deno.test("a wrong command line ends with 2 and says what is wrong, before anything is done", async () => {
  const wrong: [args: string[], message: RegExp][] = [
    [["--frm", "x"], /unknown option --frm/],
    [["--from"], /--from needs a value/],
    [["--from", "x", "--from-source"], /give one of/],
    [["--url", "https://example.org/x"], /--url needs --sha256/],
    [["--url", "http://example.org/x", "--sha256", "0".repeat(64)], /--url must be https/],
    [["--url", "http://127.0.0.1:80@example.org/x", "--sha256", "0".repeat(64)], /names? no user/],
    [["--sha256", "0123"], /64 hexadecimal digits/],
    [["--tls", "none"], /--tls must be auto, files or off/],
    [["--tls-hostname", "x\nallow_plaintext: true"], /not printable/],
    [["--set", "team_secret=x"], /must not be an argument/],
    [["--set", "a: b\n=x"], /not printable/],
    [["--set", "a:b=x"], /not a key/],
    [["--purge"], /--purge goes with --uninstall/],
    [["--root", "relative"], /absolute/],
  ];
  for (const [args, message] of wrong) {
    const { code, text } = await run("sh", [INSTALL, ...args]);
    equal(code, 2, `${args}: ${text}`);
    match(text, message);
  }
});

Deno.test("a value with quotes and backslashes is one text in the configuration", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/runevault`, "#!/bin/sh\necho runevault 1\n", { mode: 0o755 });
  const name = String.raw`a"\: "b`;
  const args = ["--dry-run", "--root", folder.path, "--from", `${folder.path}/runevault`, "--index-name", name];
  const { code, text } = await run("sh", [INSTALL, ...args]);
  equal(code, 0, text);
  match(text, /^ {2}index_name: "a\\"\\\\: \\"b"$/m);
});
