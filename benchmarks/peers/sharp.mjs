// sharp as a peer: one line of JSON in ({path, variants: [{side, quality}]}), one out ({milliseconds}).
// The three variants of a photo, one after the other, in one thread, from a file that is in memory.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import sharp from "sharp";

sharp.concurrency(1);
sharp.cache(false);
const files = new Map();

for await (const line of createInterface({ input: process.stdin })) {
  const { path, variants } = JSON.parse(line);
  if (!files.has(path)) files.set(path, readFileSync(path));
  const content = files.get(path);
  const started = performance.now();
  for (const { side, quality } of variants) {
    await sharp(content)
      .rotate()
      .resize(side, side, { fit: "inside", withoutEnlargement: true })
      .flatten({ background: "white" })
      .jpeg({ quality, chromaSubsampling: "4:2:0" })
      .toBuffer();
  }
  console.log(JSON.stringify({ milliseconds: performance.now() - started }));
}
