import { deepEqual, equal, rejects } from "node:assert/strict";
import type { DatabaseServer } from "../vault/database/ports.ts";
import { LateServer } from "./late_server.ts";

function recorded(): { server: DatabaseServer; asked: string[] } {
  const asked: string[] = [];
  const note = <T>(what: string, answer: T) => Promise.resolve(asked.push(what)).then(() => answer);
  const server: DatabaseServer = {
    ping: () => note("ping", undefined),
    run: (statements) => note(`run ${statements}`, undefined),
    hasAccount: (username) => note(`hasAccount ${username}`, true),
    accountsEnding: (end) => note(`accountsEnding ${end}`, ["a"]),
    end: (username, statements) => note(`end ${username} ${statements}`, { wasThere: true, hasEndedSessions: false }),
    close: () => note("close", undefined),
  };
  return { server, asked };
}

Deno.test("a driver is loaded once, when its server is first asked, and the server answers for itself", async () => {
  const { server, asked } = recorded();
  let loads = 0;
  const late = new LateServer(() => Promise.resolve(server).finally(() => loads++));
  equal(loads, 0);
  await Promise.all([late.ping(), late.run(["x", "y"])]);
  equal(await late.hasAccount("u"), true);
  deepEqual(await late.accountsEnding("e"), ["a"]);
  deepEqual(await late.end("u", ["z"]), { wasThere: true, hasEndedSessions: false });
  await late.close();
  equal(loads, 1);
  deepEqual(asked, ["ping", "run x,y", "hasAccount u", "accountsEnding e", "end u z", "close"]);
});

Deno.test("to close a server that was never asked loads nothing; what can't be loaded is said to who asks", async () => {
  const late = new LateServer(() => Promise.reject(new Error("no driver")));
  await late.close();
  await rejects(late.ping(), /no driver/);
  await late.close();
});

Deno.test("a driver that couldn't be loaded for once is loaded when its server is asked again", async () => {
  const { server, asked } = recorded();
  let loads = 0;
  const late = new LateServer(() =>
    ++loads === 1 ? Promise.reject(new Error("no descriptor")) : Promise.resolve(server)
  );
  await rejects(late.ping(), /no descriptor/);
  await late.ping();
  deepEqual([loads, asked], [2, ["ping"]]);
});

Deno.test("the list of plugins does not load MySQL's driver", async () => {
  const code = `
    await import(${JSON.stringify(new URL("./mod.ts", import.meta.url).href)});
    console.log(Object.keys(process.getBuiltinModule("module")._cache ?? {}).filter((path) => path.includes("mysql2")).length);
  `;
  const command = new Deno.Command(Deno.execPath(), { args: ["eval", "--no-lock", code] });
  const { stdout } = await command.output();
  equal(new TextDecoder().decode(stdout).trim(), "0");
});
