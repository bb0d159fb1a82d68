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

/** Makes a script of its own of `api/early.ts`, before the others: it runs while they are still being loaded. */
const early = {
  name: "early",
  apply: "build",
  transformIndexHtml: {
    order: "post",
    handler: (html) =>
      html.replace(
        /(<script type="module".*?<\/script>)(.*?)<link rel="modulepreload" (crossorigin )href="(\S+\/early-\S+)">\s*/s,
        '<script type="module" $3src="$4"></script>\n    $1$2',
      ),
  },
} as const satisfies Plugin;

export default defineConfig({
  plugins: [react(), early, layered, compressed],
  base: "./", // relative to <base href>, which the server writes: it knows the path prefix
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: OUTPUT,
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0, // the Content-Security-Policy forbids data: URLs
    // Run before the others: what it imports of them would be run first.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "early", test: /src.api.early/ }] } } },
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    license: { fileName: "licenses.md" }, // of all that is in the page: it ships with them
  },
  server: { proxy: { "/api": API, "/docs": API } },
});
