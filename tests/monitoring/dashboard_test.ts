/**
 * The dashboard's JSON: what Grafana needs of panels and variables (schema version 39), and expressions that Prometheus reads.
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { missingCommands } from "../install/_programs.ts";

const FILE = new URL("../../deploy/monitoring/dashboard.json", import.meta.url);

interface Datasource {
  readonly type: string;
  readonly uid: string;
}

interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly datasource: Datasource;
}

interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly datasource: Datasource;
  readonly gridPos: Place;
  readonly targets: readonly Target[];
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit: string;
      readonly thresholds?: {
        readonly mode: string;
        readonly steps: readonly { color: string; value: number | null }[];
      };
    };
    readonly overrides: readonly unknown[];
  };
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly query: unknown }[];
  };
  readonly panels: readonly Panel[];
}

const text = await Deno.readTextFile(FILE);
const dashboard = JSON.parse(text) as Dashboard;
const { panels } = dashboard;

const TYPES = new Set(["stat", "timeseries", "bargauge", "gauge", "table"]);
/** Units as Grafana names them: of another it shows the bare number. */
const UNITS = new Set([
  "short",
  "none",
  "s",
  "ms",
  "bytes",
  "ops",
  "reqps",
  "percent",
  "percentunit",
  "dtdurations",
  "cps",
]);
/** What Grafana itself puts in place. */
const OWN_VARIABLES = new Set(["__rate_interval", "__interval", "__range", "__all"]);
const FROM_VARIABLE = { type: "prometheus", uid: "${datasource}" };
const COLUMNS = 24;

Deno.test("the dashboard has the members that Grafana tells one by, and its variables are all there", () => {
  match(dashboard.uid, /^[a-z0-9-]{1,40}$/);
  deepEqual([dashboard.title, dashboard.schemaVersion], ["RuneVault", 39]);
  const variables = dashboard.templating.list;
  deepEqual(variables.map(({ name, type }) => [name, type]), [["datasource", "datasource"], ["instance", "query"]]);
  equal(variables[0]!.query, "prometheus");
  const used = [...text.matchAll(/\$\{?([A-Za-z_][A-Za-z0-9_]*)/g)].map(([, name]) => name!);
  const known = new Set([...OWN_VARIABLES, ...variables.map(({ name }) => name)]);
  deepEqual([...new Set(used)].filter((name) => !known.has(name)), []);
});

Deno.test("each panel is of a kind that there is, has a title, a unit, and asks the chosen Prometheus", () => {
  equal(new Set(panels.map(({ id }) => id)).size, panels.length, "ids are unique");
  for (const { title, type, datasource, targets, fieldConfig } of panels) {
    ok(title.length > 0 && TYPES.has(type), `${title}: ${type}`);
    deepEqual(datasource, FROM_VARIABLE, title);
    ok(targets.length > 0, title);
    equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, `${title}: two targets of one name`);
    for (const target of targets) {
      match(target.refId, /^[A-Z]$/);
      deepEqual(target.datasource, FROM_VARIABLE, title);
      match(target.expr, /instance=~"\$instance"/, `${title}: every instance is shown, whichever is chosen`);
    }
    ok(UNITS.has(fieldConfig.defaults.unit), `${title}: ${fieldConfig.defaults.unit}`);
    const steps = fieldConfig.defaults.thresholds?.steps.map(({ value }) => value) ?? [null];
    equal(steps[0], null, `${title}: the first threshold is the base`);
    const limits = steps.slice(1) as number[];
    deepEqual(limits, limits.toSorted((a, b) => a - b), title);
  }
});

Deno.test("panels lie within the columns, and none on another", () => {
  const overlap = (a: Place, b: Place) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
  for (const [i, { title, gridPos }] of panels.entries()) {
    ok(gridPos.w > 0 && gridPos.h > 0 && gridPos.x >= 0 && gridPos.x + gridPos.w <= COLUMNS, title);
    const under = panels.slice(i + 1).find((other) => overlap(gridPos, other.gridPos));
    equal(under, undefined, `${title} lies on ${under?.title}`);
  }
});

Deno.test({
  name: "Prometheus reads each expression of the dashboard [apt install prometheus]",
  ignore: missingCommands("promtool"),
  fn: async () => {
    const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const rules = expressions.map((expr, i) => ({ record: `panel:${i}`, expr: filledIn(expr) }));
    const path = await Deno.makeTempFile({ prefix: "runevault-test-rules-", suffix: ".yml" });
    try {
      // JSON is YAML, and every panel's expression could be a rule's.
      await Deno.writeTextFile(path, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
      const { code, stdout, stderr } = await new Deno.Command("promtool", { args: ["check", "rules", path] }).output();
      const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      equal(code, 0, said);
      match(said, new RegExp(`${rules.length} rules found`));
    } finally {
      await Deno.remove(path);
    }
  },
});

/** An expression as Grafana sends it. */
function filledIn(expression: string): string {
  return expression.replaceAll("$__rate_interval", "5m").replaceAll("$__range", "1h").replaceAll("$instance", ".*");
}
