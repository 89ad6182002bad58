/**
 * `--root-token-file`, and root tokens over the admin API.
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { ServedApi } from "../identity/_served.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";

Deno.test("the first start writes a root token for its owner alone; later ones leave the file, and the token ends", async () => {
  await using folder = await temporaryFolder();
  const dataDir = `${folder.path}/data`;
  const path = `${folder.path}/root.token`;
  await Deno.mkdir(dataDir, { mode: 0o700 });
  const options = { dataDir, args: ["--root-token-file", path] };
  let token = "";
  {
    await using api = await ServedApi.start(options);
    token = (await Deno.readTextFile(path)).trim();
    match(token, /^hvs\.[A-Za-z0-9]{24,}$/);
    equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    equal((await api.call("GET", "auth/token/lookup-self", token)).body.data.path, "auth/token/root");
    equal(api.server.log.includes(token), false);
    equal((await api.call("POST", "auth/token/revoke-self", token)).status, 204);
  }
  await Deno.writeTextFile(path, "mine");
  await using api = await ServedApi.start(options);
  equal(await Deno.readTextFile(path), "mine");
  equal((await api.call("GET", "auth/token/lookup-self", token)).status, 403);
  equal(
    (await api.call("GET", "auth/token/lookup-self", await api.rootToken())).status,
    200,
    "made again on the machine",
  );
});

Deno.test("a root token that can't be written stops the first start, and none is left", async () => {
  await using folder = await temporaryFolder();
  const dataDir = `${folder.path}/data`;
  await Deno.mkdir(dataDir, { mode: 0o700 });
  const path = `${folder.path}/there`;
  await Deno.writeTextFile(path, "somebody's");
  const { code, log } = await StartedServer.refused({ dataDir, args: ["--root-token-file", path] });
  deepEqual([code, await Deno.readTextFile(path)], [78, "somebody's"]);
  match(log, /root token can't be written/);
});
