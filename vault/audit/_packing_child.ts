/**
 * Packs an audit file of the size that is its argument, in megabytes, by the thread that a rotation keeps, and says how many
 * megabytes more are resident then.
 *
 * @module
 */

const path = await Deno.makeTempFile();
const lines = new TextEncoder().encode(
  Array.from({ length: 4000 }, () => `{"id":"${crypto.randomUUID()}","hash":"${crypto.randomUUID()}"}\n`).join(""),
);
for (let bytes = 0; bytes < Number(Deno.args[0]) * 1e6; bytes += lines.length) {
  await Deno.writeFile(path, lines, { append: true });
}

const worker = new Worker(new URL("./compress_worker.ts", import.meta.url).href, { type: "module" });
const pack = async (file: string) => {
  const answered = Promise.withResolvers<unknown>();
  worker.onmessage = ({ data }) => answered.resolve(data);
  worker.postMessage(file);
  return await answered.promise;
};
const small = await Deno.makeTempFile();
await pack(small);
const before = Deno.memoryUsage().rss;
const answer = await pack(path);
await new Promise((resolve) => setTimeout(resolve, 500));
const more = Math.round((Deno.memoryUsage().rss - before) / 1e6);
worker.terminate();
await Promise.all([path, small].map((file) => Deno.remove(`${file}.gz`)));
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify({ answer, more })));
