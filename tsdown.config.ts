import { defineConfig } from "tsdown";

export default defineConfig({
  entry: [
    "src/index.ts",
    "src/train/index.ts",
    "src/cli/main.ts",
    "src/runtime/node/engine-worker.ts",
    "src/convert/quantize-worker.ts",
  ],
  format: "esm",
  platform: "node",
  target: "node20",
  dts: true,
  clean: true,
  outDir: "dist",
  plugins: [
    {
      // The engine stands in dist/engine (scripts/stage-engine.ts), which package.json names for every file of dist.
      name: "staged-engine",
      resolveId: (id) => (id === "onnxruntime-node" ? { id: "#engine", external: true } : undefined),
    },
  ],
});
