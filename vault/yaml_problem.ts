/**
 * What is wrong with a YAML text, without a word of the text: what stands in the wrong place may be a secret.
 *
 * @module
 */

import type { YAMLError } from "yaml";

/** What the library says in words that quote the file in their middle. */
const UNQUOTED: Partial<Readonly<Record<YAMLError["code"], string>>> = {
  RESOURCE_EXHAUSTION: "nested too deeply",
  TAG_RESOLVE_FAILED: "a tag (what begins with !) that is not taken: put the text in quotes",
  BAD_DIRECTIVE: "a directive (what begins with %) that is not taken",
  BAD_DQ_ESCAPE: "an escape (what begins with a backslash) that YAML does not know",
};

/** The library's words without the text that it quotes at their end. */
export function yamlProblem({ code, message }: YAMLError): string {
  return UNQUOTED[code] ?? message.replace(/(?<=\S): .*$/s, "");
}
