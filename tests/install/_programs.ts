/**
 * Programs that some of these tests need.
 *
 * @module
 */

/** Whether a test is left out for want of a program; with RUNEVAULT_TEST_ALL=1 none is. */
export function missingCommands(...names: string[]): boolean {
  if (Deno.env.get("RUNEVAULT_TEST_ALL") === "1") return false;
  return !names.every(hasCommand);
}

/** Whether a program is on PATH. */
export function hasCommand(name: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => isFile(`${folder}/${name}`));
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}
