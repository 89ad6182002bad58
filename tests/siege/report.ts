/**
 * What a siege tells: a line for each attack while it goes on, and in the end a table for `docs/siege-report.md`.
 *
 * @module
 */

import { VERSION } from "../../version.ts";
import type { Program } from "./programs.ts";

/** How an attack ended; `not laid`: the time was up before it began. */
export type Outcome = "held" | "FELL" | "not laid";

interface Row {
  readonly outcome: Outcome;
  readonly attack: string;
  readonly where: string;
  readonly seconds: number;
  readonly said: string;
}

/** The report of one siege. */
export class Report {
  readonly #rows: Row[] = [];
  readonly #began = performance.now();
  readonly #head: string;

  private constructor(head: string) {
    this.#head = head;
    print(head);
  }

  /** @param command What was run, with all that chooses. */
  static async begin(command: string, programs: readonly Program[]): Promise<Report> {
    const of = await Promise.all(programs.map(async ({ name, runtime }) => `${name} on Deno ${await runtime()}`));
    const when = new Date().toISOString().slice(0, 16);
    return new Report(
      `\`${command}\`: runevault ${VERSION}, ${of.join(" and ")}; ${await machine()}; ${when}Z, load ${load()}`,
    );
  }

  /** Tells and keeps how an attack ended. */
  add(row: Row): void {
    this.#rows.push(row);
    const { outcome, attack, where, seconds, said } = row;
    print(
      `${outcome.padEnd(8)}  ${attack.padEnd(18)} ${where.padEnd(12)} ${seconds.toFixed(1).padStart(6)} s  ${said}`,
    );
  }

  /** Whether every attack was laid, and held. */
  get isHeld(): boolean {
    return this.#rows.every(({ outcome }) => outcome === "held");
  }

  /** Says how many held; with a table where it is the long form's. */
  end(isLong: boolean): void {
    const ended = (how: Outcome) => this.#rows.filter(({ outcome }) => outcome === how).length;
    const seconds = Math.round((performance.now() - this.#began) / 1000);
    const sum = `${ended("held")} held, ${ended("FELL")} fell, ${ended("not laid")} not laid, in ${seconds} s`;
    print(isLong ? `\n${this.#head}; load after ${load()}: ${sum}.\n\n${this.#table()}` : sum);
  }

  #table(): string {
    const cells = (
      row: Row,
    ) => [`\`${row.attack}\``, row.where, `${row.seconds.toFixed(0)} s`, `${row.outcome}: ${first(row.said)}`];
    const lines = [["attack", "program", "time", "outcome"], ["---", "---", "---", "---"], ...this.#rows.map(cells)];
    return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
  }
}

/** Prints a line at once. */
export function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function first(text: string): string {
  return text.split("\n")[0]!.replaceAll("|", "\\|");
}

async function machine(): Promise<string> {
  const memory = Math.round(Deno.systemMemoryInfo().total / 2 ** 30);
  const cpu = /model name\s*: (.*)/.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1] ?? "unknown processor";
  return `${navigator.hardwareConcurrency} cores (${cpu}), ${memory} GiB`;
}

function load(): string {
  return Deno.loadavg().map((one) => one.toFixed(1)).join(" ");
}
