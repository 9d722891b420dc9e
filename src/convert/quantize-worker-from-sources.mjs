/** @file Starts the thread from the TypeScript sources, for tests and scripts; the build does without. */
import { register } from "tsx/esm/api";

register();
await import("./quantize-worker.ts");
