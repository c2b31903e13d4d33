import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const COMPRESSIBLE = /\.(js|css)$/;

/** A gzipped copy beside every script and style sheet: the server has them ready and compresses nothing. */
export function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    // of the written files: Vite changes scripts after the last plugin has seen the bundle
    async writeBundle({ dir }, bundle) {
      const names = Object.keys(bundle).filter((name) => COMPRESSIBLE.test(name));
      await Promise.all(names.map((name) => compress(join(dir!, name))));
    },
  };
}

async function compress(file: string): Promise<void> {
  await writeFile(`${file}.gz`, gzipSync(await readFile(file), { level: 9 }));
}
