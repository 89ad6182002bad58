/**
 * `runevault.yml`: the file's text, and what is made of its settings.
 *
 * @module
 */

import fc from "fast-check";
import { resolveConfig } from "../../../server/config.ts";
import { valuesFromFile } from "../../../server/config_file.ts";
import { SERVE_OPTIONS } from "../../../server/config_options.ts";
import type { RawValues } from "../../../server/config_values.ts";
import { bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse, PLANTED } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";
import { scalar, YAML_LIMITS, YAML_PIECES } from "./yaml_pieces.ts";

const secret = fc.oneof(
  fc.constantFrom(
    PLANTED.teamSecret,
    JSON.stringify(PLANTED.teamSecret),
    `"${PLANTED.teamSecret}`,
    `*${PLANTED.apiKey}`,
  ),
  fc.stringMatching(/^[0-9]{1,30}$/),
  fc.constantFrom("0012", "1e5", "0x1f", "0o17", "1.50", "-0", "+7", "1_000", ".5", "12345678901234567890"),
  scalar,
);
const good: Readonly<Record<string, fc.Arbitrary<string>>> = {
  grpc_addr: fc.constantFrom("127.0.0.1:0", "off", "0.0.0.0:50051", "'[::1]:1'"),
  admin_addr: fc.constantFrom("127.0.0.1:0", "off", "localhost:8081"),
  metrics_addr: fc.constantFrom("127.0.0.1:0", "off"),
  api_addr: fc.constant("off"),
  tls: fc.constantFrom("auto", "files", "off"),
  tls_hostname: fc.constantFrom("a.example", "[a.example, b.example]", "\n  - a.example\n  - b.example"),
  allow_plaintext: fc.constantFrom("true", "false", "'1'"),
  envelope_v1: fc.constantFrom("accept", "warn", "refuse"),
  fhe_dim: fc.constantFrom("1024", "'384'"),
  log_format: fc.constantFrom("text", "json"),
  log_level: fc.constantFrom("debug", "info", "warn", "error"),
  dev: fc.constantFrom("true", "false"),
};

const setting = fc.constantFrom(...SERVE_OPTIONS).chain((option) => {
  const value = option.secret ? secret : fc.oneof(good[option.key] ?? scalar, scalar);
  return value.map((text) => `${option.key}: ${text}\n`);
});
const odd = fc.tuple(scalar, scalar).map(([key, value]) => `${key}: ${value}\n`);
const text = fc.array(fc.oneof({ weight: 12, arbitrary: setting }, { weight: 1, arbitrary: odd }), { maxLength: 6 })
  .map((lines) => lines.join(""));

/** The configuration file. */
export const target: FuzzTarget = syncTarget(
  "config_file",
  "json",
  fc.oneof(
    { weight: 60, arbitrary: text },
    { weight: 120, arbitrary: mutatedText(text, YAML_PIECES) },
    { weight: 20, arbitrary: fc.array(fc.constantFrom(...YAML_PIECES), { maxLength: 20 }).map((all) => all.join("")) },
    {
      weight: 1,
      arbitrary: bulkText(5000, ["[", "{", "- ", "? ", "a: ", "&a [", "*a,", "!!a ", "'", '"', "tls: off\n"]),
    },
  ),
  check,
  YAML_LIMITS,
);

function check(text: string): void {
  const values = parseOrRefuse(["config_invalid"], () => valuesFromFile("/etc/runevault/runevault.yml", text));
  if (values === undefined) return;
  const config = parseOrRefuse(["config_invalid"], () => resolveConfig([{}, values], "/data"));
  if (config === undefined) return;
  must(Object.isFrozen(config), "the configuration can be changed");
  must(
    [config.fheDim, config.embeddingDim].every((n) => n === undefined || Number.isSafeInteger(n)),
    "a dimension is no number",
  );
  assertSecretsAsWritten(text, values, config.teamSecret);
}

/** A team secret of digits is as good as another: whoever reads it as a number takes off its zeros and ends its length. */
function assertSecretsAsWritten(text: string, values: RawValues, teamSecret: string | undefined): void {
  if (!/^(?:[a-z_0-9]+: [0-9a-zA-Z.,_+'"/[\]:-]*\n)*$/.test(text)) return;
  const written = /^team_secret: ([0-9a-zA-Z._+-]+)$/m.exec(text)?.[1];
  if (written === undefined || ["null", "Null", "NULL", "true", "false"].includes(written)) return;
  must(teamSecret === written, `team_secret: ${written} was taken as ${JSON.stringify(values["team_secret"])}`);
}
