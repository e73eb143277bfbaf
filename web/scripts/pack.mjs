// After the build: each text file also as brotli and gzip, so that the program needs no coder; and what a browser loads first
// must stay small. Fails above the budget.
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const FIRST_LOAD_BYTES = 200_000;
const site = join(dirname(fileURLToPath(import.meta.url)), "../dist/site");

const files = readdirSync(site, { recursive: true })
  .map((name) => join(site, name))
  .filter((path) => statSync(path).isFile());
const sent = new Map();
for (const path of files) {
  const plain = readFileSync(path);
  let least = plain.length;
  if ([".html", ".js", ".css", ".svg"].includes(extname(path)) && plain.length > 512) {
    const br = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
    const gz = gzipSync(plain, { level: 9 });
    writeFileSync(`${path}.br`, br);
    writeFileSync(`${path}.gz`, gz);
    least = Math.min(least, br.length);
  }
  sent.set(relative(site, path), least);
}

const index = readFileSync(join(site, "index.html"), "utf8");
const first = ["index.html", ...[...index.matchAll(/(?:src|href)="\/console\/([^"]+)"/g)].map((found) => found[1])];
// The screen that comes up first is asked for by the page's script.
first.push(...[...sent.keys()].filter((name) => /^assets\/now-[^/]*\.(js|css)$/.test(name)));
for (const name of first) {
  if (!name.endsWith(".js")) continue;
  const text = readFileSync(join(site, name), "utf8");
  const imported = [...text.matchAll(/(?:from|import)"\.\/([^"]+\.js)"/g)].map((found) => `assets/${found[1]}`);
  first.push(...imported.filter((other) => !first.includes(other)));
}
const bytes = [...new Set(first)].map((name) => {
  if (!sent.has(name)) throw new Error(`index.html names ${name}, which was not built`);
  return [name, sent.get(name)];
});
const total = bytes.reduce((sum, [, count]) => sum + count, 0);
for (const [name, count] of bytes) console.log(`${String(count).padStart(8)}  ${name}`);
console.log(`${String(total).padStart(8)}  first load, at most ${FIRST_LOAD_BYTES}`);
if (total > FIRST_LOAD_BYTES) {
  console.error(`the first load is ${total} bytes, more than ${FIRST_LOAD_BYTES}: load a part later, or leave it out`);
  process.exit(1);
}
