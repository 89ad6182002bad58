/**
 * Reads YAML nodes strictly, with a message that names line and key for whatever is wrong.
 *
 * @module
 */

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { Scalar, YAMLMap } from "yaml";
import { VaultError } from "../errors.ts";
import { yamlProblem } from "../yaml_problem.ts";
import { assertFewDoubledApostrophes } from "./doubled_apostrophes.ts";

/** A parsed YAML text that knows the line of each node. */
export class YamlReader {
  readonly #path: string;
  readonly #lines = new LineCounter();
  readonly #firstLine: number;
  readonly root: Node | null;

  /**
   * @param firstLine The line of the file on which the text begins.
   * @throws {VaultError} `config_invalid` for text that is not YAML, or more than one document.
   */
  constructor(path: string, text: string, firstLine = 1) {
    this.#path = path;
    this.#firstLine = firstLine;
    assertFewDoubledApostrophes(path, text, firstLine);
    this.#assertNoStrayReturn(text);
    // The library looks for doubled keys by comparing each with each; `map` does it in one pass.
    const options = { lineCounter: this.#lines, uniqueKeys: false, prettyErrors: false, version: "1.2" } as const;
    const document = parseDocument(text, options);
    const error = document.errors[0];
    if (error !== undefined) throw this.#failure(this.#lineAt(error.pos[0]), yamlProblem(error));
    this.root = document.contents;
  }

  /** To the library it is no end of a line, to editors it is: the rows of a long file would be told apart otherwise. */
  #assertNoStrayReturn(text: string): void {
    const at = text.search(/\r(?!\n)/);
    if (at === -1) return;
    const line = this.#firstLine + text.slice(0, at).split("\n").length - 1;
    throw this.#failure(line, "a carriage return that ends no line");
  }

  /** An error about a node. */
  fail(node: Node | null | undefined, message: string): VaultError {
    return this.#failure(this.line(node), message);
  }

  /** The line of a node, from 1. */
  line(node: Node | null | undefined): number {
    return node?.range ? this.#lineAt(node.range[0]) : this.#firstLine;
  }

  /** The entries of a mapping, keys as text. */
  map(node: unknown, what: string): Map<string, { key: Node; value: Node | null }> {
    if (!isMap(node)) throw this.fail(node as Node | null, `${what} must be a mapping`);
    const entries = new Map<string, { key: Node; value: Node | null }>();
    for (const { key, value } of (node as YAMLMap<Node, Node | null>).items) {
      const name = this.text(key, "a key");
      if (entries.has(name)) throw this.fail(key, "the same key stands twice in one mapping");
      // What is repeated by reference would be taken for missing.
      if (isMergeKey(key) || isAlias(value)) throw this.fail(key, "aliases and merge keys are not taken: write it out");
      entries.set(name, { key, value });
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

  #lineAt(offset: number): number {
    return this.#lines.linePos(offset).line + this.#firstLine - 1;
  }

  #failure(line: number, message: string): VaultError {
    return new VaultError("config_invalid", `${this.#path}, line ${line}: ${message}`, {
      hint: "nothing was changed; correct the file",
      data: { line },
    });
  }
}

/** Only unquoted is it one (https://yaml.org/type/merge.html); a role may be called so. */
function isMergeKey(key: Node): boolean {
  return isScalar(key) && key.value === "<<" && key.type === "PLAIN";
}
