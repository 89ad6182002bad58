/**
 * Reads YAML nodes strictly, with a message that names line and key for whatever is wrong.
 *
 * @module
 */

import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type Scalar, type YAMLMap } from "yaml";
import { VaultError } from "../errors.ts";

/** A file larger than this is not read: a million users take about 250 MB. */
export const MAX_FILE_BYTES = 512 * 1024 * 1024;

/** A parsed YAML text that knows the line of each node. */
export class YamlReader {
  readonly #path: string;
  readonly #lines = new LineCounter();
  readonly root: Node | null;

  /** @throws {VaultError} `config_invalid` for text that is not YAML, has aliases, or more than one document. */
  constructor(path: string, text: string) {
    this.#path = path;
    const options = { lineCounter: this.#lines, uniqueKeys: true, strict: true, version: "1.2" } as const;
    const document = parseDocument(text, options);
    const error = document.errors[0];
    if (error !== undefined) throw this.#failure(error.linePos?.[0].line ?? 1, error.message.split("\n")[0]!);
    this.root = document.contents;
  }

  /** An error about a node. */
  fail(node: Node | null | undefined, message: string): VaultError {
    return this.#failure(this.line(node), message);
  }

  /** The line of a node, from 1. */
  line(node: Node | null | undefined): number {
    return node?.range ? this.#lines.linePos(node.range[0]).line : 1;
  }

  /** The entries of a mapping, keys as text. */
  map(node: unknown, what: string): Map<string, { key: Node; value: Node | null }> {
    if (!isMap(node)) throw this.fail(node as Node | null, `${what} must be a mapping`);
    const entries = new Map<string, { key: Node; value: Node | null }>();
    for (const pair of (node as YAMLMap<Node, Node | null>).items) {
      entries.set(this.text(pair.key, "a key"), { key: pair.key, value: pair.value });
    }
    return entries;
  }

  /** The items of a sequence. */
  list(node: unknown, what: string): Node[] {
    if (!isSeq(node)) throw this.fail(node as Node | null, `${what} must be a list`);
    return node.items as Node[];
  }

  /** A scalar as text; a number counts as the text it was written as. */
  text(node: unknown, what: string): string {
    if (isScalar(node)) {
      if (typeof node.value === "string") return node.value;
      if (typeof node.value === "number") return (node as Scalar & { source?: string }).source ?? String(node.value);
    }
    throw this.fail(node as Node | null, `${what} must be text`);
  }

  /** A whole number. */
  integer(node: unknown, what: string): number {
    if (isScalar(node) && typeof node.value === "number" && Number.isSafeInteger(node.value)) return node.value;
    throw this.fail(node as Node | null, `${what} must be a whole number`);
  }

  /** Runs a check and puts line and key in front of what it throws. */
  check<T>(node: Node | null | undefined, what: string, run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (error instanceof VaultError) throw this.fail(node, `${what}: ${error.message}`);
      throw error;
    }
  }

  #failure(line: number, message: string): VaultError {
    return new VaultError("config_invalid", `${this.#path}, line ${line}: ${message}`, {
      hint: "nothing was changed; correct the file",
      data: { line },
    });
  }
}
