/**
 * From a command's options to the identity API's answer on the terminal.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";
import { type ApiQuestion, askApi } from "./api_client.ts";
import type { ApiOptions } from "./api_place.ts";
import { escapeControls } from "./format.ts";
import type { Io } from "./io.ts";
import type { Root } from "./program.ts";

export { type ApiQuestion, askApi, askWithoutToken } from "./api_client.ts";
export type { ApiOptions } from "./api_place.ts";

const ENVIRONMENT = `
Environment:
  RUNEVAULT_TOKEN, VAULT_TOKEN    whose rights count; without it, those of this machine's operator
  RUNEVAULT_ADDR, VAULT_ADDR      where a token's holder asks; without it, the vault of this machine
  RUNEVAULT_CACERT, VAULT_CACERT  a file with the authority of its certificate
  Certificates are always checked: VAULT_SKIP_VERIFY is not honoured.`;

/** Adds a command, or a group of them, that asks the identity API. */
export function apiCommand(root: Root, name: string, description: string) {
  return root.command(name).helpCommand(false).description(description)
    .option("--address <URL>", "ask the identity API there (env RUNEVAULT_ADDR)")
    .addHelpText("afterAll", ENVIRONMENT);
}

/** A group of commands that ask the identity API. */
export type ApiGroup = ReturnType<typeof apiCommand>;

/**
 * Asks the identity API and prints: with `--json` the answer as it is, else what `show` makes of it.
 *
 * @param show Gets null for an answer without a body.
 * @throws {VaultError} what the server or the way to it refuses.
 */
export async function answerApi<T>(
  io: Io,
  globals: ApiOptions,
  question: ApiQuestion,
  show: (body: T) => string,
): Promise<void> {
  const text = await askApi(io, globals, question);
  const body = text === "" ? null : JSON.parse(text) as T & { readonly warnings?: readonly string[] | null };
  for (const warning of body?.warnings ?? []) await io.err(`Warning: ${escapeControls(warning)}\n`);
  if (globals.json) await io.out(`${text === "" ? "{}" : escapeControls(text)}\n`);
  else await io.out(show(body as T));
}

/**
 * Deletes what is at a path. The API answers the same where nothing is, as for a name that is mistyped; so it is looked
 * for first, by those who may.
 *
 * @param text Printed when it is done.
 * @throws {VaultError} `not_found`, and as {@link answerApi}.
 */
export async function deleteApi(io: Io, globals: ApiOptions, path: string, text: string): Promise<void> {
  await assertThere(io, globals, { method: "GET", path });
  await answerApi(io, globals, { method: "DELETE", path }, done(text));
}

/** Asks a question whose answer is only that there is something; who may not ask it goes on. */
export async function assertThere(io: Io, globals: ApiOptions, question: ApiQuestion): Promise<void> {
  try {
    await askApi(io, globals, question);
  } catch (error) {
    if (!(error instanceof VaultError) || error.kind !== "permission_denied") throw error;
  }
}

/**
 * A path with names in it, each percent-encoded: ``apiPath`identity/entity/name/${name}` ``.
 *
 * @throws {VaultError} `usage` for a name that a URL drops: it would ask for something else.
 */
export function apiPath(parts: TemplateStringsArray, ...names: readonly string[]): string {
  const odd = names.find((name) => name === "" || name === "." || name === "..");
  if (odd !== undefined) throw new VaultError("usage", `${JSON.stringify(odd)} is no name`);
  return parts.map((part, i) => part + (names[i] === undefined ? "" : encodeURIComponent(names[i]))).join("");
}

/** The keys of a list; nothing for an answer that there are none. */
export async function listKeys(io: Io, globals: ApiOptions, path: string): Promise<void> {
  const show = ({ data }: { data: { keys: readonly string[] } }) =>
    data.keys.map((key) => `${escapeControls(key)}\n`).join("");
  await answerList(io, globals, path, show, { keys: [] });
}

/**
 * As {@link answerApi} for a list: that there is nothing in it is no failure.
 *
 * @param none The `data` of a list without entries; the API's own answer to that has none.
 */
export async function answerList<T extends { readonly data: unknown }>(
  io: Io,
  globals: ApiOptions,
  path: string,
  show: (body: T) => string,
  none: T["data"],
): Promise<void> {
  try {
    await answerApi(io, globals, { method: "GET", path: `${path}?list=true` }, show);
  } catch (error) {
    if (!(error instanceof VaultError) || error.kind !== "not_found") throw error;
    const nothing = { ...EMPTY_ENVELOPE, data: none };
    await io.out(globals.json ? `${JSON.stringify(nothing)}\n` : show(nothing as unknown as T));
  }
}

/** So that a list without entries has the fields of every other one. */
const EMPTY_ENVELOPE = {
  request_id: "",
  lease_id: "",
  renewable: false,
  lease_duration: 0,
  data: null as unknown,
  wrap_info: null,
  warnings: null,
  auth: null,
  mount_type: "",
};

/** For answers that say nothing but that it is done. */
export function done(text: string): () => string {
  return () => `${escapeControls(text)}\n`;
}

/** The `data` of an answer as lines of `name: value`. */
export function showData({ data }: { readonly data: Readonly<Record<string, unknown>> }): string {
  return Object.entries(data).map(([key, value]) => `${escapeControls(key)}: ${valueText(value)}\n`).join("");
}

/** A value on one line: texts as they are, the rest as JSON. */
export function valueText(value: unknown): string {
  return escapeControls(typeof value === "string" ? value : JSON.stringify(value));
}
