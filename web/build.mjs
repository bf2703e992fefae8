// Bundles src/ into the package: node build.mjs [FOLDER]. The first line names a digest of what it was made of, by
// which a test can tell, without node, that the committed bundle is that of the committed sources.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "../src/regard/view/assets"));

function* files(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else yield path;
  }
}

const digest = createHash("sha256");
const made = [...files(join(here, "src")), join(here, "build.mjs"), join(here, "package-lock.json")];
for (const name of made.map((path) => relative(here, path).replaceAll("\\", "/")).sort()) {
  digest.update(`${name}\0`).update(readFileSync(join(here, name))).update("\0");
}
const mark = `/*! Made from web/ by web/build.mjs; sources ${digest.digest("hex").slice(0, 16)}. Includes Preact (MIT). */`;

await build({
  absWorkingDir: here,
  entryPoints: { attention: "src/main.tsx" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  jsx: "automatic",
  jsxImportSource: "preact",
  banner: { js: mark, css: mark },
  logLevel: "warning",
});
