/** @file Starts the engine's thread from the TypeScript sources, for tests and scripts; the build does without. */
import { register } from "tsx/esm/api";

register();
await import("./engine-worker.ts");
