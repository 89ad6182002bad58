import { deepEqual, doesNotMatch, equal, match } from "node:assert/strict";
import { fakeIo } from "../tests/fakes/io.ts";
import { run } from "./mod.ts";

const TOKEN = "hvs.NOBODYMAYSEETHIS";

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** An HTTP server that remembers what it is asked and answers what it is told. */
function serve(answer: () => Response): { readonly url: string; readonly asked: Asked[] } & AsyncDisposable {
  const asked: Asked[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { method, url, headers } = request;
    asked.push({ method, path: url.slice(new URL(url).origin.length), headers, body: await request.text() });
    return answer();
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  return { url, asked, [Symbol.asyncDispose]: () => server.shutdown() };
}

async function cli(args: readonly string[], env: Readonly<Record<string, string>>, stdin = "") {
  const io = fakeIo({ env: { HOME: "/nowhere", RUNEVAULT_DATA_DIR: "/nowhere", ...env }, stdin });
  const code = await run(args, io);
  return { code, stdout: io.stdout(), stderr: io.stderr() };
}

const keys = (...names: string[]) => Response.json({ data: { keys: names } });

Deno.test("a token in the environment asks the API that the environment names", async () => {
  await using api = serve(() => keys("default", "\u001b[2Jevil"));
  const { code, stdout } = await cli(["policy", "list"], { RUNEVAULT_TOKEN: TOKEN, RUNEVAULT_ADDR: api.url });
  deepEqual([code, stdout], [0, "default\n\\u001b[2Jevil\n"]);
  const { method, path, headers } = api.asked[0]!;
  deepEqual([method, path], ["GET", "/v1/sys/policies/acl?list=true"]);
  deepEqual([headers.get("x-vault-token"), headers.get("x-vault-request")], [TOKEN, "true"]);
});

Deno.test("our own names of variables come before Vault's, and --address before both", async () => {
  await using api = serve(() => keys("a"));
  const vault = { VAULT_TOKEN: TOKEN, VAULT_ADDR: api.url };
  equal((await cli(["policy", "list"], vault)).code, 0);
  const ours = { ...vault, VAULT_TOKEN: "hvs.other", RUNEVAULT_TOKEN: TOKEN, VAULT_ADDR: "https://localhost:1" };
  equal((await cli(["policy", "list"], { ...ours, RUNEVAULT_ADDR: api.url })).code, 0);
  const elsewhere = { ...ours, RUNEVAULT_ADDR: "https://localhost:1" };
  equal((await cli(["policy", "list", "--address", api.url], elsewhere)).code, 0);
  deepEqual(api.asked.map(({ headers }) => headers.get("x-vault-token")), [TOKEN, TOKEN, TOKEN]);
});

Deno.test("login sends name and password in the body, no token, and prints the one it gets", async () => {
  await using api = serve(() => Response.json({ auth: { client_token: "hvs.new" } }));
  const env = { RUNEVAULT_ADDR: api.url, RUNEVAULT_TOKEN: TOKEN };
  const { code, stdout, stderr } = await cli(["login", "a/b", "--path", "/auth/team/ldap/"], env, "hunter2\n");
  deepEqual([code, stdout, stderr], [0, "hvs.new\n", ""]);
  const { method, path, headers, body } = api.asked[0]!;
  deepEqual([method, path, body], ["POST", "/v1/auth/team/ldap/login/a%2Fb", '{"password":"hunter2"}']);
  equal(headers.get("x-vault-token"), null);
});

Deno.test("a redirect isn't followed: the token would go with it", async () => {
  await using thief = serve(() => keys());
  await using api = serve(() => Response.redirect(`${thief.url}/v1/sys/policies/acl`, 307));
  const { code, stderr } = await cli(["policy", "list"], { RUNEVAULT_TOKEN: TOKEN, RUNEVAULT_ADDR: api.url });
  equal(code, 1);
  match(stderr, /can't be reached/);
  deepEqual(thief.asked, []);
});

Deno.test("a proxy of the environment doesn't get what goes to this machine in plain", async () => {
  await using proxy = serve(() => keys("from the proxy"));
  await using api = serve(() => keys("from the vault"));
  Deno.env.set("HTTP_PROXY", proxy.url);
  try {
    const { stdout } = await cli(["policy", "list"], { RUNEVAULT_TOKEN: TOKEN, RUNEVAULT_ADDR: api.url });
    deepEqual([stdout, proxy.asked], ["from the vault\n", []]);
  } finally {
    Deno.env.delete("HTTP_PROXY");
  }
});

Deno.test("what can't be asked safely is refused before anything is sent, and no error shows the token", async () => {
  await using api = serve(() => new Response("<html>not a vault</html>"));
  const here = { RUNEVAULT_TOKEN: TOKEN, RUNEVAULT_ADDR: api.url };
  const cases: [env: Readonly<Record<string, string>>, args: string[], code: number, stderr: RegExp][] = [
    [{ RUNEVAULT_TOKEN: `${TOKEN}\nx` }, [], 2, /holds what no token has/],
    [{ ...here, RUNEVAULT_ADDR: "http://192.0.2.1:8200" }, [], 2, /in plain\nhint: .*RUNEVAULT_ALLOW_PLAINTEXT/],
    [{ ...here, RUNEVAULT_ADDR: "vault:8200" }, [], 2, /is none\nhint: give scheme, host and port/],
    [{ ...here, RUNEVAULT_ADDR: `https://u:${TOKEN}@localhost:1` }, [], 2, /is none/],
    [{ ...here, RUNEVAULT_CACERT: "/nowhere/ca.pem" }, [], 2, /\/nowhere\/ca.pem can't be read/],
    [{ ...here, VAULT_CACERT: new URL(import.meta.url).pathname }, [], 2, /holds no certificate/],
    [here, ["--admin-socket", "/nowhere/admin.sock"], 1, /nobody answers on \/nowhere\/admin.sock/],
    [here, ["--admin-socket", "/x", "--address", api.url], 2, /not both/],
    [{}, ["--address", api.url], 2, /No token was given\nhint: export RUNEVAULT_TOKEN/],
  ];
  for (const [env, args, code, expected] of cases) {
    const result = await cli(["policy", "list", ...args], env);
    equal(result.code, code, result.stderr);
    match(result.stderr, expected);
    doesNotMatch(result.stdout + result.stderr, /NOBODYMAYSEETHIS/);
  }
  deepEqual(api.asked, []);
  const { code, stderr } = await cli(["policy", "list"], here);
  equal(code, 1);
  match(stderr, /What answers at http:\/\/127.0.0.1:[0-9]+ is no vault/);
});

Deno.test("names that a URL drops are refused: `delete ..` must not ask for the folder above", async () => {
  await using api = serve(() => keys());
  const env = { RUNEVAULT_TOKEN: TOKEN, RUNEVAULT_ADDR: api.url };
  const commands = [["policy", "delete"], ["entity", "delete"], ["oidc", "key", "delete"], [
    "entity",
    "group",
    "delete",
  ]];
  for (const command of commands) {
    for (const name of ["..", ".", ""]) equal((await cli([...command, name], env)).code, 2, `${command} ${name}`);
  }
  equal(api.asked.length, 0);
  equal((await cli(["policy", "delete", "../x?y"], env)).code, 0);
  const path = "/v1/sys/policies/acl/..%2Fx%3Fy";
  deepEqual(api.asked.map(({ method, path }) => [method, path]), [["GET", path], ["DELETE", path]]);
});

Deno.test("a refusal of the API comes with what to try next", async () => {
  const refusals: [status: number, text: string, args: string[], stderr: RegExp][] = [
    [
      403,
      "1 error occurred:\n\t* permission denied\n\n",
      ["policy", "show", "a"],
      /^runevault: permission denied\nhint: .*explain sys\/policies\/acl\/a read --token-stdin\n$/,
    ],
    [
      403,
      "1 error occurred:\n\t* permission denied\n\n",
      ["policy", "delete", "$(reboot)"],
      /hint: .*explain PATH delete --token-stdin\n$/,
    ],
    [
      403,
      "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n",
      ["policy", "list"],
      /^runevault: permission denied; invalid token\nhint: .*runevault login NAME\)\n$/,
    ],
    [400, "no entity associated with the request's token", ["oidc", "token", "app"], /hint: .*runevault login NAME\)/],
    [400, "\u001b[2Jodd", ["policy", "list"], /^runevault: \\u001b\[2Jodd\n$/],
  ];
  for (const [status, text, args, stderr] of refusals) {
    await using api = serve(() => Response.json({ errors: [text] }, { status }));
    const result = await cli(args, { RUNEVAULT_TOKEN: TOKEN, RUNEVAULT_ADDR: api.url });
    equal(result.code, 1);
    match(result.stderr, stderr);
  }
});

Deno.test("oidc token reads, so that a policy with `read` suffices; with claims it writes", async () => {
  await using api = serve(() => Response.json({ data: { token: "e.y.J" } }));
  const env = { RUNEVAULT_TOKEN: TOKEN, RUNEVAULT_ADDR: api.url };
  equal((await cli(["oidc", "token", "app"], env)).stdout, "e.y.J\n");
  await cli(["oidc", "token", "app", "--claim", "session_id=s=1", "--claim", "nonce=n"], env);
  deepEqual(api.asked.map(({ method, body }) => [method, body]), [
    ["GET", ""],
    ["POST", '{"claims":{"session_id":"s=1","nonce":"n"}}'],
  ]);
  match((await cli(["oidc", "token", "app", "--claim", "x"], env)).stderr, /hint: such as --claim session_id=s-1/);
});

Deno.test("a policy is printed with its lines, and without what would rewrite the screen", async () => {
  await using api = serve(() => Response.json({ data: { policy: 'path "a" {\n\t# \u001b[2J\u202e\r\n}' } }));
  const env = { RUNEVAULT_TOKEN: TOKEN, RUNEVAULT_ADDR: api.url };
  equal((await cli(["policy", "show", "p"], env)).stdout, 'path "a" {\n\t# \\u001b[2J\\u202e\\u000d\n}\n');
});

Deno.test("without a data folder the holder of a token asks this machine over TLS", async () => {
  const { code, stderr } = await cli(["policy", "list"], { RUNEVAULT_TOKEN: TOKEN, VAULT_SKIP_VERIFY: "1" });
  equal(code, 1);
  match(stderr, /https:\/\/127.0.0.1:8200 can't be reached\nhint: .*VAULT_SKIP_VERIFY is not honoured/);
});
