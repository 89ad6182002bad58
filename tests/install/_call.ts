/**
 * A client of the vault, for use inside a throw-away root: `_call.ts ADDRESS TOKEN [CA-FILE]` prints what it is given.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ChannelCredentials } from "@grpc/grpc-js";
import { VaultClient } from "../clients.ts";

const [address, token, ca] = Deno.args;
const credentials = ca === undefined
  ? ChannelCredentials.createInsecure()
  : ChannelCredentials.createSsl(Buffer.from(await Deno.readFile(ca)));
using vault = new VaultClient(address!, {}, credentials);
const { code, details } = await vault.manifest(token!);
const bundle = code === 0 ? await vault.bundle(token!) : undefined;
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify({ code, details, bundle })));
