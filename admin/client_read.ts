/**
 * Reading answers of a process that may not be the one we think.
 *
 * @module
 */

/**
 * The text of an answer, `maxBytes` at most; the rest is left unread.
 *
 * @throws what the connection throws.
 */
export async function readBounded(answer: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const chunk of answer.body ?? []) {
    length += chunk.length;
    text += decoder.decode(chunk, { stream: true });
    if (length > maxBytes) break;
  }
  return text + decoder.decode();
}
