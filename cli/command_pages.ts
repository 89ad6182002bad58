/**
 * What the help says of each command, as data: from the commands themselves come their help, the man page and the shells'
 * completion, so that none of them can say something else.
 *
 * @module
 */

import type { EventEmitter } from "node:events";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { examples } from "./program.ts";

/** A flag or an argument, and what it is for. */
export interface Term {
  readonly term: string;
  readonly meaning: string;
}

/** One command, or one group of them. */
export interface CommandPage {
  /** Such as `["token", "issue"]`; empty: the program. */
  readonly path: readonly string[];
  readonly description: string;
  /** Without the program's name: `token issue [options]`. */
  readonly usage: string;
  readonly isGroup: boolean;
  readonly args: readonly Term[];
  readonly options: readonly Term[];
  /** What stands beside options and examples, paragraph by paragraph. */
  readonly notes: readonly string[];
  readonly examples: readonly string[];
}

/** Hidden: the shells' scripts ask it. */
const HIDDEN = new Set(["complete"]);
const EXAMPLES = "Examples:";
/** As many as are read at a glance. */
const MAX_GROUP_EXAMPLES = 4;

/** Every command that people see, a group before its members. */
export function commandPages(root: CommandUnknownOpts): CommandPage[] {
  return [pageOf(root), ...visible(root).flatMap(commandPages)];
}

/** Gives every group without examples those of its first members. */
export function addGroupExamples(command: CommandUnknownOpts): void {
  const members = visible(command);
  if (members.length === 0) return;
  members.forEach(addGroupExamples);
  if (examplesIn(paragraphsAfter(command)).length > 0) return;
  // Only who reads the help waits for them: to collect them takes as long as all else that a command needs to begin.
  command.addHelpText("after", () => {
    const found = members.flatMap((member) => examplesIn(paragraphsAfter(member)).slice(0, 1));
    return examples(...found.slice(0, MAX_GROUP_EXAMPLES));
  });
}

function visible(command: CommandUnknownOpts): CommandUnknownOpts[] {
  return command.commands.filter((one) => !HIDDEN.has(one.name()));
}

function pageOf(command: CommandUnknownOpts): CommandPage {
  const help = command.createHelp();
  const path = pathOf(command);
  const paragraphs = paragraphsAfter(command);
  return {
    path,
    description: command.description(),
    usage: [...path, command.usage()].join(" "),
    isGroup: visible(command).length > 0,
    args: help.visibleArguments(command).map((one) => ({ term: one.name(), meaning: help.argumentDescription(one) })),
    options: help.visibleOptions(command).map((one) => ({
      term: help.optionTerm(one),
      meaning: help.optionDescription(one),
    })),
    notes: paragraphs.filter((one) => !isExamples(one)),
    examples: examplesIn(paragraphs),
  };
}

function examplesIn(paragraphs: readonly string[]): string[] {
  return paragraphs.filter(isExamples).flatMap((one) => one.trim().split("\n").slice(1)).map((one) => one.trim());
}

function isExamples(paragraph: string): boolean {
  return paragraph.trimStart().startsWith(EXAMPLES);
}

/** The names that lead to a command, without the program's. */
export function pathOf(command: CommandUnknownOpts): string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}

function paragraphsAfter(command: CommandUnknownOpts): string[] {
  return textAfter(command).split(/\n{2,}/).filter((one) => one.trim() !== "");
}

/** What `addHelpText` put after a command's options, as commander would write it. */
function textAfter(command: CommandUnknownOpts): string {
  let text = "";
  // Commander's commands are emitters of events; their types don't say so.
  (command as unknown as EventEmitter).emit("afterHelp", {
    error: false,
    command,
    write: (part: string) => void (text += part),
  });
  return text;
}
