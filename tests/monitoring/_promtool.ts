/**
 * Programs that tests need and a plain machine may lack.
 *
 * @module
 */

/** Whether a program is on the path; with RUNEVAULT_TEST_ALL=1 it must be. */
export async function isCommand(name: string): Promise<boolean> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const isThere = await Deno.stat(`${folder}/${name}`).then((file) => file.isFile, () => false);
    if (isThere) return true;
  }
  if (Deno.env.get("RUNEVAULT_TEST_ALL") === "1") throw new Error(`${name} is needed`);
  return false;
}
