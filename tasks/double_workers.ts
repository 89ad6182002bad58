/**
 * Worker files of one name, which the compiler confuses.
 *
 * `deno compile --bundle` finds the file of `new URL("./x_worker.ts", import.meta.url)` by its name alone, anywhere below the
 * current folder, in the order in which the file system lists it: with a test's worker of the same name, that one may end up
 * in the program.
 *
 * @module
 */

/** What holds no source of ours. */
const NOT_SOURCE = [".git", ".deno", "node_modules"];

const WORKER = /new URL\("\.\/([\w-]+\.ts)", import\.meta\.url\)/g;

/** The paths of all files that have the name of a worker and are not the only ones, sorted. */
export async function doubleWorkers(folder: string): Promise<string[]> {
  const paths = await Array.fromAsync(sourcesBelow(folder));
  const workers = new Set<string>();
  for (const path of paths) {
    const text = path.endsWith("_test.ts") ? "" : await Deno.readTextFile(path);
    for (const [, name] of text.matchAll(WORKER)) workers.add(name!);
  }
  const named = Map.groupBy(paths.filter((path) => workers.has(nameOf(path))), nameOf);
  return [...named.values()].filter((same) => same.length > 1).flat().sort();
}

async function* sourcesBelow(folder: string): AsyncIterable<string> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    if (NOT_SOURCE.includes(name)) continue;
    if (isDirectory) yield* sourcesBelow(`${folder}/${name}`);
    else if (isFile && name.endsWith(".ts")) yield `${folder}/${name}`;
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
