/**
 * Stands in for `systemctl` where no systemd runs: it starts the installed unit's own ExecStart line as systemd would.
 *
 * It honours what the service meets of its unit: user, credentials, state folder, notify socket and watchdog, no core
 * dump, no new privileges, no capabilities, the system calls and address families that are allowed, a file system that is
 * read-only but for the state folder, a /proc of processes alone. Run inside a throw-away root by the pinned Deno.
 *
 * @module
 */

/** A user's own systemd, or the machine's. */
const IS_USER = Deno.args.includes("--user");
const HOME = Deno.env.get("HOME")!;
const UNITS = IS_USER ? `${HOME}/.config/systemd/user` : "/etc/systemd/system";
const RUN = IS_USER ? `${HOME}/.stand-in` : "/run/stand-in";
const UNIT = `${UNITS}/runevault.service`;
const WANTS = `${UNITS}/${IS_USER ? "default" : "multi-user"}.target.wants/runevault.service`;
const CREDENTIALS = "/run/credentials/runevault.service";
const START_MS = 240_000;
const FILTER = new URL("_system_calls.py", import.meta.url).pathname;

/** The settings of a unit's [Service] section; one that is given several times has several values. */
function serviceSettings(text: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  let section = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("[")) section = line;
    const at = line.indexOf("=");
    if (section !== "[Service]" || line.startsWith("#") || at < 0) continue;
    const key = line.slice(0, at);
    settings.set(key, [...(settings.get(key) ?? []), line.slice(at + 1)]);
  }
  return settings;
}

/** Read-only but for the data and what is private anyway; /proc shows processes alone, and only one's own. */
const SANDBOX = `set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t proc -o subset=pid,hidepid=invisible proc /proc
mount -o remount,bind,ro /
shift
exec "$@"
`;

function launch(settings: Map<string, string[]>): void {
  const words = settings.get("ExecStart")![0]!.split(" ").map((word) =>
    word.replace("${CREDENTIALS_DIRECTORY}", CREDENTIALS)
  );
  const filtered = ["/usr/bin/python3", FILTER, UNIT, ...words];
  const service = IS_USER ? ["env", "-i", ...environmentOf(HOME), ...filtered] : inSandbox(settings, filtered);
  const command = ["setsid", "prlimit", `--core=${settings.get("LimitCORE")![0]}`, ...service];
  const script = `umask ${settings.get("UMask")![0]}; exec "$@" >>${RUN}/journal 2>&1 </dev/null`;
  const { pid } = new Deno.Command("sh", {
    args: ["-c", script, "sh", ...command],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  Deno.writeTextFileSync(`${RUN}/pid`, String(pid));
}

function environmentOf(home: string): string[] {
  const basics = ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", `HOME=${home}`];
  return [...basics, `NOTIFY_SOCKET=${RUN}/notify.sock`, "WATCHDOG_USEC=30000000"];
}

function inSandbox(settings: Map<string, string[]>, words: readonly string[]): string[] {
  const [user] = settings.get("User")!;
  const state = `/var/lib/${settings.get("StateDirectory")![0]}`;
  const credentials = settings.has("LoadCredential") ? [`CREDENTIALS_DIRECTORY=${CREDENTIALS}`] : [];
  const environment = [...environmentOf(state), `STATE_DIRECTORY=${state}`, ...credentials];
  const privileges = ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--no-new-privs"];
  const all = [...privileges, "--bounding-set=-all", "--", "env", "-i", ...environment, ...words];
  return ["unshare", "-m", "sh", "-c", SANDBOX, "sh", state, ...all];
}

async function loadCredentials(settings: Map<string, string[]>): Promise<void> {
  if (!settings.has("LoadCredential")) return;
  const uid = await idOf(settings.get("User")![0]!);
  for (const credential of settings.get("LoadCredential")!) {
    const [name, path] = credential.split(":");
    await Deno.mkdir(CREDENTIALS, { recursive: true });
    await Deno.chmod(CREDENTIALS, 0o500);
    await Deno.writeFile(`${CREDENTIALS}/${name}`, await Deno.readFile(path!), { mode: 0o400 });
    await Deno.chown(`${CREDENTIALS}/${name}`, uid, 0);
    await Deno.chown(CREDENTIALS, uid, 0);
  }
}

async function idOf(user: string): Promise<number> {
  const { stdout } = await new Deno.Command("id", { args: ["-u", user] }).output();
  return Number(new TextDecoder().decode(stdout));
}

function runningPid(): number | undefined {
  try {
    const pid = Number(Deno.readTextFileSync(`${RUN}/pid`));
    return Deno.readTextFileSync(`/proc/${pid}/stat`).includes(") Z ") ? undefined : pid;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function until(isSo: () => boolean): Promise<boolean> {
  for (const end = Date.now() + START_MS; Date.now() < end;) {
    if (isSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

/** Type=notify: it has started when it says so. */
async function start(): Promise<number> {
  if (runningPid() !== undefined) return 0;
  const settings = serviceSettings(await Deno.readTextFile(UNIT));
  await loadCredentials(settings);
  await Deno.remove(`${RUN}/notify.sock`).catch(() => {});
  const socket = Deno.listenDatagram({ transport: "unixpacket", path: `${RUN}/notify.sock` });
  await Deno.chmod(`${RUN}/notify.sock`, 0o666);
  launch(settings);
  let ready = false;
  (async () => {
    for await (const [bytes] of socket) ready ||= new TextDecoder().decode(bytes) === "READY=1";
  })();
  await until(() => ready || runningPid() === undefined);
  if (!ready) Deno.stderr.writeSync(new TextEncoder().encode("Job for runevault.service failed.\n"));
  return ready ? 0 : 1;
}

async function stop(): Promise<number> {
  const pid = runningPid();
  if (pid !== undefined) Deno.kill(pid, "SIGTERM");
  return await until(() => runningPid() === undefined) ? 0 : 1;
}

async function perform(verb: string, now: boolean): Promise<number> {
  if (await isBroken(verb)) return 1;
  switch (verb) {
    case "daemon-reload":
    case "show-environment":
      return 0;
    case "is-active":
      return runningPid() === undefined ? 3 : 0;
    case "is-enabled":
      return await Deno.lstat(WANTS).then(() => 0, () => 1);
    case "enable":
      await Deno.mkdir(WANTS.slice(0, WANTS.lastIndexOf("/")), { recursive: true });
      await Deno.symlink(UNIT, WANTS);
      return 0;
    case "disable":
      await Deno.remove(WANTS);
      return now ? await stop() : 0;
    case "start":
      return await start();
    case "stop":
      return await stop();
    case "restart":
      return await stop() || await start();
    default:
      throw new Error(`this stand-in does not know "systemctl ${verb}"`);
  }
}

/** A test makes one command fail by a file of its name. */
function isBroken(verb: string): Promise<boolean> {
  return Deno.stat(`${RUN}/broken-${verb}`).then(() => true, () => false);
}

await Deno.mkdir(RUN, { recursive: true });
await Deno.writeTextFile(`${RUN}/calls`, `${Deno.args.join(" ")}\n`, { append: true });
const verb = Deno.args.find((word) => !word.startsWith("-"))!;
Deno.exit(await perform(verb, Deno.args.includes("--now")));
