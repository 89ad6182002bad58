import { equal } from "node:assert/strict";
import { defaultDataDir, userConfigFile } from "./data_dir.ts";

const withEnv = (env: Record<string, string>) => (name: string) => env[name];

Deno.test("defaultDataDir() takes systemd's folder, then root's, then the user's state folder", () => {
  const home = { HOME: "/home/a" };
  equal(defaultDataDir(withEnv({ ...home, STATE_DIRECTORY: "/var/lib/rv" }), 0), "/var/lib/rv");
  equal(defaultDataDir(withEnv({ STATE_DIRECTORY: "/var/lib/rv:/var/lib/other" }), 1000), "/var/lib/rv");
  equal(defaultDataDir(withEnv({ ...home, STATE_DIRECTORY: "" }), 0), "/var/lib/runevault");
  equal(defaultDataDir(withEnv({ ...home, XDG_STATE_HOME: "/s" }), 0), "/var/lib/runevault");
  equal(defaultDataDir(withEnv({ ...home, XDG_STATE_HOME: "/s" }), 1000), "/s/runevault");
  equal(defaultDataDir(withEnv({ ...home, XDG_STATE_HOME: "relative" }), 1000), "/home/a/.local/state/runevault");
  equal(defaultDataDir(withEnv(home), null), "/home/a/.local/state/runevault");
  equal(defaultDataDir(withEnv({}), 1000), undefined);
});

Deno.test("a user's own configuration lies in their configuration folder; root has none of their own", () => {
  equal(userConfigFile(withEnv({ HOME: "/home/a" }), 1000), "/home/a/.config/runevault/runevault.yml");
  equal(userConfigFile(withEnv({ HOME: "/home/a", XDG_CONFIG_HOME: "/c" }), 1000), "/c/runevault/runevault.yml");
  equal(
    userConfigFile(withEnv({ HOME: "/home/a", XDG_CONFIG_HOME: "c" }), 1000),
    "/home/a/.config/runevault/runevault.yml",
  );
  equal(userConfigFile(withEnv({ HOME: "/root", XDG_CONFIG_HOME: "/c" }), 0), undefined);
  equal(userConfigFile(withEnv({}), 1000), undefined);
});
