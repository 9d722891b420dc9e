/** @file The platform that Node gives generation: paths on the disk, an engine in a worker thread, native picture codecs. */
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { LocalFolder } from "../files/local-folder.ts";
import { replaceFile } from "../files/replacement-file.ts";
import { nodeZlib } from "../files/zlib.ts";
import type { Platform } from "../generate/platform.ts";
import { snapshotName } from "../hub/cache-layout.ts";
import { WorkerEngine } from "../runtime/node/worker-engine.ts";
import { availableMemory } from "./available-memory.ts";
import { defaultModelPath } from "./default-model.ts";

/** Names are paths. Picture codecs are loaded only by those who give pictures. */
export const nodePlatform: Platform = {
  modelFolder: (path = defaultModelPath()) => new LocalFolder(path, snapshotName(path)),
  createEngine: (options) => WorkerEngine.create(options),
  threads: availableParallelism(),
  availableMemory,
  readImage: async (path) => (await import("../files/decode-image.ts")).readImage(path),
  decodeImage: async (bytes, where) => (await import("../files/decode-image.ts")).decodeImage(bytes, where),
  writeFile: (path, bytes) => replaceFile(path, (file) => file.write(bytes)),
  sha256: async (bytes) => createHash("sha256").update(bytes).digest("hex"),
  zlib: nodeZlib,
};
