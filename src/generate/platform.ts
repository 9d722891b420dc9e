/** @file What generation needs of the world around it. Each entry of the library fills it in for where it runs. */
import type { FileFolder } from "../formats/file-folder.ts";
import type { Zlib } from "../formats/zlib.ts";
import type { RgbImage } from "../image/pixels.ts";
import type { Engine, EngineOptions } from "../runtime/engine.ts";
import type { AvailableMemory } from "./memory-check.ts";

export interface Platform {
  /** The model folder of that name, or without one the folder of the model that comes with the package. */
  modelFolder(name: string | undefined): FileFolder;
  createEngine(options: EngineOptions): Engine;
  /** How many threads an engine has that is told no number. */
  readonly threads: number;
  /** What the process may take beyond what it has; undefined where nobody can tell. */
  availableMemory(): AvailableMemory | undefined;
  /** Decodes a picture file, given by name. Throws InputError if it cannot be read, DataFormatError if it is no picture. */
  readImage(name: string): Promise<RgbImage>;
  /** Decodes the bytes of a picture file; `where` names it in errors. Throws DataFormatError if they are no picture. */
  decodeImage(bytes: Uint8Array, where: string): Promise<RgbImage>;
  /** Writes a file whole or not at all. */
  writeFile(name: string, bytes: Uint8Array): Promise<void>;
  /** SHA-256 in hexadecimal digits. */
  sha256(bytes: Uint8Array): Promise<string>;
  readonly zlib: Zlib;
}
