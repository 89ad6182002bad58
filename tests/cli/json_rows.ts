/**
 * From a row of docs/cli-json.md to the TypeScript type that it promises, so that the compiler can hold answers against it.
 *
 * A row is prose of a few forms: see `cli/json_answers.ts`.
 *
 * @module
 */

/** The identity API's envelope, as the page says what is in it. */
export const ENVELOPE = `interface Envelope<Data, Auth> {
  request_id: string; lease_id: string; renewable: boolean; lease_duration: number;
  data: Data; wrap_info: null; warnings: string[] | null; auth: Auth; mount_type: string;
}`;

/**
 * The type that a row promises; undefined for one that promises no JSON object.
 *
 * @param row What the page says that a command prints.
 */
export function promisedType(row: string): string | undefined {
  if (/^nothing|as always|^a line an entry/.test(row)) return undefined;
  if (row.startsWith("`{}`")) return "Record<string, never> | (Envelope<null, null> & { warnings: string[] })";
  const [, type, others] = /^`([A-Z]\w+)`(?: with ([^;]*))?$/.exec(row) ?? [];
  if (type !== undefined) return others === undefined ? type : `${type} & { ${fields(others)} }`;
  const [, part, inside] = /^envelope.*?; `(data|auth)`: (.*)$/.exec(row) ?? [];
  if (part === "auth") return `Envelope<null, { ${fields(inside!)} }>`;
  if (part === "data") return `Envelope<{ ${fields(inside!)} }, null>`;
  return row.startsWith("envelope") ? "Envelope<null, null>" : `{ ${fields(row)} }`;
}

/** Fields of an object type: "`a`, `b`; `c`, an array of `d`, `e`; `f` (null, or `g`) and so on". */
function fields(text: string): string {
  const more = text.includes(" and so on") ? " [more: string]: unknown;" : "";
  const clauses = text.replace(/ and so on.*$/, "").split(/; (?=`)/);
  return clauses.map((clause) => clauseFields(clause)).join(" ") + more;
}

function clauseFields(clause: string): string {
  const [, names = clause, of, what = ""] = /^(.*?), (an array of|by id:|ids)\s*(.*)$/.exec(clause) ?? [];
  const alone = names.replace(/ and (`\w+`) (\(each [^)]*\))/, " $2, $1 $2");
  const found = [...alone.matchAll(/`(\w+)`(?: \(([^)]*)\))?( where)?/g)];
  const types = found.map(([, name, aside, where]) => `${name}${where ? "?" : ""}: ${insideType(aside)};`);
  if (of !== undefined) types[types.length - 1] = `${found.at(-1)![1]}: ${listType(of, what)};`;
  return types.join(" ");
}

function listType(of: string, what: string): string {
  if (!what.includes("`")) return "string[]";
  const [, type] = /^`([A-Z]\w+)`$/.exec(what) ?? [];
  const one = type ?? `{ ${fields(what)} }`;
  return of === "by id:" ? `Record<string, ${one} & Record<string, unknown>>` : `${one}[]`;
}

/** What stands in parentheses behind a name: what is in it, or the values that it may have. */
function insideType(aside: string | undefined): string {
  if (aside === undefined) return "unknown";
  const names = [...aside.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
  if (/null|each/.test(aside)) return `{ ${names.map((name) => `${name}: unknown;`).join(" ")} } | null`;
  return names.map((name) => `"${name}"`).join(" | ");
}
