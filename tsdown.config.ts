import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts", "src/train/index.ts", "src/cli/main.ts", "src/runtime/engine-worker.ts"],
  format: "esm",
  platform: "node",
  target: "node20",
  dts: true,
  clean: true,
  outDir: "dist",
});
