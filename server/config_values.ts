/**
 * Settings as they came in, by an option's key, and the reading of one as text, number, flag, list or choice.
 *
 * @module
 */

import { VaultError } from "../vault/mod.ts";
import { type ConfigOption, SERVE_OPTIONS } from "./config_options.ts";

/** A value as it came in, by the option's key. */
export type RawValues = Readonly<Record<string, unknown>>;

/** Looks settings up in several sources, the first that has one winning. */
export class ConfigValues {
  readonly #sources: readonly RawValues[];

  constructor(sources: readonly RawValues[]) {
    this.#sources = sources;
  }

  text(key: string): string | undefined {
    const value = this.#find(key);
    if (value === undefined || typeof value === "string") return value;
    if (typeof value === "number") return String(value);
    throw invalid(key, "must be text");
  }

  /** The value of `beside` in the very source that has `key`. */
  beside(key: string, beside: string): unknown {
    return this.#sources.find((source) => source[key] !== undefined)?.[beside];
  }

  integer(key: string): number | undefined {
    const text = this.text(key);
    if (text === undefined || /^[0-9]{1,9}$/.test(text)) return text === undefined ? undefined : Number(text);
    throw invalid(key, "must be a whole number");
  }

  flag(key: string): boolean {
    const value = this.#find(key) ?? false;
    if (value === true || value === "true" || value === "1") return true;
    if (value === false || value === "false" || value === "0") return false;
    throw invalid(key, "must be true or false");
  }

  list(key: string): string[] {
    const value = this.#find(key) ?? [];
    const items: unknown[] = Array.isArray(value) ? value : [value];
    if (items.every((item) => typeof item === "string")) return items as string[];
    throw invalid(key, "must be a list of texts");
  }

  choice<const C extends string>(key: string, choices: readonly C[]): C | undefined {
    const value = this.text(key);
    if (value === undefined || (choices as readonly string[]).includes(value)) return value as C | undefined;
    throw invalid(key, `must be one of ${choices.join(", ")}`);
  }

  #find(key: string): unknown {
    return this.#sources.find((source) => source[key] !== undefined)?.[key];
  }
}

function invalid(key: string, rule: string): VaultError {
  return new VaultError("config_invalid", `The setting ${nameOf(key)} ${rule}`);
}

function nameOf(key: string): string {
  const option: ConfigOption | undefined = SERVE_OPTIONS.find((one) => one.key === key);
  return option === undefined || option.secret ? key : option.flag;
}
