/** The version of this program, here and nowhere else. */
export const VERSION = "0.1.0";
