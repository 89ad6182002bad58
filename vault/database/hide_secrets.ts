/**
 * What servers and drivers say, without the secrets that they quote.
 *
 * @module
 */

/** A part of a secret as long as this is hidden too: servers cut what they quote. */
const MIN_PART = 5;
const MAX_LENGTH = 500;

/**
 * A text in which every secret, and every part of one, is `[password]`, whether in its own letters or in small or large ones.
 *
 * @param secrets As they are; how SQL and URLs write them is hidden too.
 */
export function hideSecrets(text: string, secrets: readonly string[]): string {
  let hidden = text.slice(0, 4 * MAX_LENGTH);
  for (const secret of secrets) hidden = withoutPartsOf(hidden, spellings(secret));
  return hidden.slice(0, MAX_LENGTH);
}

function spellings(secret: string): string[] {
  if (secret === "") return [];
  const all = [secret, encodeURIComponent(secret), secret.replaceAll("'", "''"), secret.replaceAll("\\", "\\\\")];
  return [...new Set(all)];
}

function withoutPartsOf(text: string, spellings: readonly string[]): string {
  const small = inSmallLetters(text);
  const secrets = spellings.map(inSmallLetters);
  let out = "";
  for (let at = 0; at < text.length;) {
    const length = Math.max(0, ...secrets.map((secret) => longestPart(small, at, secret)));
    out += length === 0 ? text[at] : "[password]";
    at += Math.max(length, 1);
  }
  return out.replaceAll(/(?:\[password\]){2,}/g, "[password]");
}

/** As long as before: PostgreSQL tells names without quotes so (4.1.1), and a secret that stands where a name would. */
function inSmallLetters(text: string): string {
  return text.replace(/\p{Lu}/gu, (letter) => {
    const small = letter.toLowerCase();
    return small.length === letter.length ? small : letter;
  });
}

/** How much of the text from here on is a part of the secret; 0: less than counts. */
function longestPart(text: string, at: number, secret: string): number {
  const shortest = Math.min(MIN_PART, secret.length);
  if (!secret.includes(text.slice(at, at + shortest)) || at + shortest > text.length) return 0;
  let length = shortest;
  while (at + length < text.length && secret.includes(text.slice(at, at + length + 1))) length++;
  return length;
}
