/**
 * A throw-away root that systemd booted: it is process 1 there, with a cgroup, a journal and a /dev of its own.
 *
 * What the machine itself would start is not there, and nothing of what systemd does to clocks, devices or folders for
 * temporary files reaches the outside. Needs root, systemd and a mounted cgroup2.
 *
 * @module
 */

import { hasCommand } from "./_programs.ts";
import { type FirstProcess, ThrowAwayRoot } from "./_throw_away_root.ts";

const SYSTEMD = "/lib/systemd/systemd";

/** `container=` tells systemd that the kernel is somebody else's; it then leaves mounts shared to whoever made them. */
const BOOT = `rm -rf etc/systemd/system etc/systemd/user
mkdir -p etc/systemd/system etc/systemd/user
ln -s /dev/null etc/systemd/system/systemd-modules-load.service
: >etc/fstab
for settings in proc/sys proc/sysrq-trigger; do
  [ -e $settings ] || continue
  mount --bind $settings $settings
  mount -o remount,bind,ro $settings
done
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
for name in null zero full random urandom tty; do : >dev/$name; mount --bind /dev/$name dev/$name; done
for pair in fd: stdin:/0 stdout:/1 stderr:/2; do ln -s /proc/self/fd\${pair#*:} dev/\${pair%%:*}; done
mount -t cgroup2 cgroup2 sys/fs/cgroup
hostname runevault-test
mkdir outside
pivot_root . outside
cd /
umount -l /outside
rmdir /outside
mount --make-rshared /
echo ready
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin ${SYSTEMD} --unit=multi-user.target >/dev/null 2>&1
`;

/** Whether the tests that boot systemd are left out here; with RUNEVAULT_TEST_ALL=1 none is. */
export function ignoreSystemd(): boolean {
  if (Deno.env.get("RUNEVAULT_TEST_ALL") === "1") return false;
  return Deno.uid() !== 0 || !hasCommand("systemctl") || !hasCommand("jq") || cgroupMount() === undefined;
}

/** A root with systemd in it. */
export class SystemdRoot {
  readonly root: ThrowAwayRoot;
  readonly #cgroup: string;

  private constructor(root: ThrowAwayRoot, cgroup: string) {
    this.root = root;
    this.#cgroup = cgroup;
  }

  /** Boots one, and waits until it is up. */
  static async boot(): Promise<SystemdRoot> {
    const cgroup = await makeCgroup();
    const first: FirstProcess = { namespaces: ["--uts", "--ipc", "--cgroup"], script: BOOT, cgroup };
    const root = await ThrowAwayRoot.make(first).catch(async (error) => {
      await removeCgroup(cgroup);
      throw error;
    });
    const booted = new SystemdRoot(root, cgroup);
    const { stdout } = await booted.root.run(["sh", "-c", WAIT_UNTIL_UP]);
    if (/^(running|degraded)$/m.test(stdout)) return booted;
    await booted[Symbol.asyncDispose]();
    throw new Error(`systemd did not come up: ${stdout}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.root[Symbol.asyncDispose]();
    await removeCgroup(this.#cgroup);
  }
}

const WAIT_UNTIL_UP = `for second in $(seq 60); do
  state=$(systemctl is-system-running --wait 2>/dev/null) || :
  case $state in running | degraded) break ;; esac
  sleep 1
done
echo "$state"; systemctl --failed --no-legend --plain`;

/** Where cgroup2 is mounted; some systems have it beside the older kind. */
function cgroupMount(): string | undefined {
  const mount = Deno.readTextFileSync("/proc/self/mountinfo").split("\n").find((line) => line.includes(" - cgroup2 "));
  return mount?.split(" ")[4];
}

async function makeCgroup(): Promise<string> {
  const own = /^0::(.*)$/m.exec(await Deno.readTextFile("/proc/self/cgroup"))?.[1];
  const cgroup = `${cgroupMount()}${own === "/" ? "" : own}/runevault-test-${crypto.randomUUID()}`;
  await Deno.mkdir(cgroup);
  return cgroup;
}

/** What is left in it ends; a cgroup can't be removed while a process of it is ending. */
async function removeCgroup(cgroup: string): Promise<void> {
  await Deno.writeTextFile(`${cgroup}/cgroup.kill`, "1");
  for (let attempt = 0; attempt < 100; attempt++) {
    const { success } = await new Deno.Command("find", {
      args: [cgroup, "-depth", "-type", "d", "-delete"],
      stderr: "null",
    })
      .output();
    if (success) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${cgroup} can't be removed`);
}
