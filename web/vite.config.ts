import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

// `npm run dev` shows the page of these sources with the data of an API that runs already.
const API = process.env.JOBTRACKER_API_URL ?? "http://127.0.0.1:19000";

const OUTPUT = fileURLToPath(new URL("../jobtracker/server/page", import.meta.url));

/** Puts the compressed form beside each file: the server sends it as it is. The same Node makes the same bytes. */
const compressed = {
  name: "compressed",
  apply: "build",
  closeBundle() {
    for (const entry of readdirSync(OUTPUT, { recursive: true, withFileTypes: true })) {
      const path = `${entry.parentPath}/${entry.name}`;
      if (!/\.(js|css|svg)$/.test(path)) continue;
      writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION }));
    }
  },
} as const satisfies Plugin;

const LAYERS = "@layer base, shell, parts, states;";

/** Says the order of the layers in each stylesheet: the first that is loaded decides, and any may be the first. */
const layered = {
  name: "layered",
  apply: "build",
  generateBundle(_, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type === "asset" && file.fileName.endsWith(".css")) file.source = LAYERS + String(file.source);
    }
  },
} as const satisfies Plugin;

const VIEWS = fileURLToPath(new URL("./src/views/", import.meta.url));

/** Writes which files each view needs beside those of the document, by its path: the server names them in the document. */
const viewFiles = {
  name: "view-files",
  apply: "build",
  generateBundle(_, bundle) {
    const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
    const needs = (name: string, found = new Set<string>()): Set<string> => {
      const chunk = chunks.find((each) => each.fileName === name);
      if (!chunk || found.has(name)) return found;
      found.add(name);
      for (const style of chunk.viteMetadata?.importedCss ?? []) found.add(style);
      for (const other of chunk.imports) needs(other, found);
      return found;
    };
    const known = new Set(chunks.filter(({ isEntry }) => isEntry).flatMap(({ fileName }) => [...needs(fileName)]));
    const views = readdirSync(VIEWS, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name: folder }) => {
        const routes = readFileSync(`${VIEWS}${folder}/route.ts`, "utf8");
        return [...routes.matchAll(/\bpath: "([^"]*)"[^]*?\bimport\("\.\/(\w+)"\)/g)].map(([, path = "", view = ""]) => {
          const chunk = chunks.find((each) => each.facadeModuleId === `${VIEWS}${folder}/${view}.tsx`);
          if (!chunk) throw new Error(`The view of ${path} has no file of its own.`);
          return { path, files: [...needs(chunk.fileName)].filter((name) => !known.has(name)) };
        });
      });
    this.emitFile({ type: "asset", fileName: "views.json", source: JSON.stringify(views) });
  },
} as const satisfies Plugin;

export default defineConfig({
  plugins: [react(), layered, viewFiles, compressed],
  base: "./", // relative to <base href>, which the server writes: it knows the path prefix
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: OUTPUT,
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0, // the Content-Security-Policy forbids data: URLs
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    license: { fileName: "licenses.md" }, // of all that is in the page: it ships with them
  },
  server: { proxy: { "/api": API, "/docs": API } },
});
