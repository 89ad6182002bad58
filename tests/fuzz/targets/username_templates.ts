/**
 * Templates of accounts' names: whatever one renders is refused, or a name that no statement can be broken out of by.
 *
 * @module
 */

import fc from "fast-check";
import { systemRandom } from "../../../server/clock.ts";
import { assertAccountName, assertFits, parseUsernameTemplate } from "../../../vault/database/username_template.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

interface Input {
  readonly template: string;
  readonly name: string;
}

const VALID = [
  '{{ printf "v-%s-%s" (.UserName | truncate 16) (random 13) }}',
  "v_{{.DisplayName | lowercase | replace `-` `_`}}_{{unix_time}}",
  "{{ truncate_sha256 24 .RoleName }}{{uuid}}{{unix_time_millis}}",
  '{{ timestamp "20060102150405" }}-{{ .UserName | sha256 | uppercase | truncate 9 }}',
  '{{ base64 .UserName | decode_base64 }}{{ hex "a" | decode_hex }}',
];
const PIECES = [...AWKWARD_TEXT, "{{", "}}", "(", ")", "|", ".UserName", "random 9", "printf", "truncate", '"%s%v%%"'];
const template = fc.oneof(
  { weight: 100, arbitrary: mutatedText(fc.constantFrom(...VALID), PIECES) },
  { weight: 20, arbitrary: anyText() },
  { weight: 1, arbitrary: bulkText(100_000, ["{{", "(", "|", "{{random 9}}", "{{hex (", '"', "}}"]) },
);
const name = fc.oneof(anyText(), fc.constantFrom("alice", "x'; DROP USER root; --", '"', "`", "\\", ""));

/** Username templates. */
export const target: FuzzTarget = syncTarget("username_templates", "json", fc.record({ template, name }), check);

const SOURCES = { random: systemRandom, clock: { now: () => 1_700_000_000_000, monotonic: () => 0 } };

function check({ template, name }: Input): void {
  const read = parseOrRefuse(["invalid_argument"], () => parseUsernameTemplate(template));
  if (read === undefined) return;
  parseOrRefuse(["invalid_argument"], () => assertFits(read, 32));
  const fields = { DisplayName: name, RoleName: name, UserName: name };
  const username = parseOrRefuse(["invalid_argument"], () => {
    const rendered = read.render(fields, SOURCES);
    assertAccountName(rendered, 63);
    return rendered;
  });
  must(username === undefined || /^[\w.@+-]{1,63}$/.test(username), "a name that breaks out of a statement");
}
