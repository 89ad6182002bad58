/**
 * The workflows call what there is, and nothing that somebody else can change; the compose file gives no right away.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { parse } from "yaml";

const REPOSITORY = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, REPOSITORY));

interface Workflow {
  readonly permissions: Record<string, string>;
  readonly jobs: Record<string, { steps: { uses?: string; run?: string; env?: Record<string, string> }[] }>;
}

async function steps(path: string) {
  const { permissions, jobs } = parse(await read(path)) as Workflow;
  return { permissions, jobs, steps: Object.values(jobs).flatMap((job) => job.steps) };
}

for (const path of [".github/workflows/ci.yml", ".github/workflows/release.yml"]) {
  Deno.test(`${path} calls tasks and scripts that exist, and actions by the digest of their commit`, async () => {
    const { permissions, steps: all } = await steps(path);
    deepEqual(permissions, { contents: "read" });
    const tasks = Object.keys((JSON.parse(await read("deno.json")) as { tasks: object }).tasks);
    for (const { uses, run = "" } of all) {
      if (uses !== undefined) match(uses, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
      for (const [, task] of run.matchAll(/denow task ([\w:]+)/g)) ok(tasks.includes(task!), `there is a task ${task}`);
      for (const [script] of run.matchAll(/(?<![\w/$.])(?:deploy|tasks|\.ci)\/[\w/.]+/g)) {
        if (!script.endsWith(".pub")) ok((await Deno.stat(new URL(script, REPOSITORY))).isFile, script);
      }
    }
  });
}

Deno.test("the job that compiles never sees the signing key, and the one that signs compiles nothing", async () => {
  const { jobs } = await steps(".github/workflows/release.yml");
  const hasSecret = (name: string) => JSON.stringify(jobs[name]).includes("secrets.");
  equal(hasSecret("build"), false);
  ok(!/denow|\.ci\/run/.test(JSON.stringify(jobs["publish"])));
});

Deno.test("the compose file runs the image without rights, on a file system that it can't write", async () => {
  const { services } = parse(await read("deploy/docker/compose.yaml")) as {
    services: Record<string, Record<string, unknown>>;
  };
  const { read_only, cap_drop, security_opt, ports, restart } = services["runevault"]!;
  deepEqual({ read_only, cap_drop, security_opt }, {
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
  });
  deepEqual(ports, ["50051:50051", "127.0.0.1:8200:8200"]);
  equal(restart, "on-failure:5");
});
