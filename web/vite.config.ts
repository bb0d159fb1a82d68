import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run dev` shows the page of these sources with the data of an API that runs already.
const API = process.env.JOBTRACKER_API_URL ?? "http://127.0.0.1:19000";

export default defineConfig({
  plugins: [react()],
  base: "./", // relative to <base href>, which the server writes: it knows the path prefix
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: "../jobtracker/server/page",
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0, // the Content-Security-Policy forbids data: URLs
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": API, "/docs": API } },
});
