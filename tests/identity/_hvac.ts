/**
 * Debian's Python with its hvac, which applications use.
 *
 * @module
 */

/** The Python that Debian's packages are for. */
export const PYTHON = "/usr/bin/python3";

/** Whether hvac is installed; with RUNEVAULT_TEST_ALL=1 it is taken to be, so that tests fail where it isn't. */
export async function hasHvac(): Promise<boolean> {
  if (Deno.env.get("RUNEVAULT_TEST_ALL") === "1") return true;
  try {
    const { code } = await new Deno.Command(PYTHON, { args: ["-c", "import hvac"], stderr: "null" }).output();
    return code === 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
