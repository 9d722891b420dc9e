import { fileURLToPath } from "node:url";
import { svelte, vitePreprocess } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Builds the page to dist/studio. Addresses in it are relative, so that it may be served below any path. */
export default defineConfig({
  root: folder("."),
  base: "./",
  plugins: [svelte({ configFile: false, preprocess: vitePreprocess() })],
  build: {
    outDir: folder("../dist/studio"),
    emptyOutDir: true,
    target: "es2022",
    // Nothing inline: the content security policy allows files of this server alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
