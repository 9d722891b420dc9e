/** @file A folder of pictures with captions to tars of samples (docs/nextstep-spec.md 5). */

import { createHash } from "node:crypto";
import { lstat, readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { AbortedError, DataFormatError, InputError } from "../../errors.ts";
import { decodeImage } from "../../files/decode-image.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { encodePng } from "../../image/encode-png.ts";
import { CaptionFiles, UnusablePicture } from "./caption-files.ts";
import { OutputFolder } from "./output-folder.ts";
import { type SampleImage, SampleWriter, type ShardTotals } from "./sample-writer.ts";

export interface FolderDataOptions {
  /** Folder with pictures, searched with its sub-folders. */
  readonly folder: string;
  /** Folder to make; must not exist or be empty. */
  readonly out: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** A picture that was left out, and why. */
export interface SkippedPicture {
  /** Relative to the folder, with "/". */
  readonly name: string;
  readonly reason: string;
}

export interface FolderDataResult extends ShardTotals {
  readonly folder: string;
  /** Every picture without a usable caption or with damaged bytes. */
  readonly skipped: readonly SkippedPicture[];
}

const PICTURE_EXTENSIONS: ReadonlySet<string> = new Set(
  ".png .jpg .jpeg .webp .gif .tif .tiff .avif .heic".split(" "),
);

const MAX_PICTURE_BYTES = 512 * 1024 * 1024;

/**
 * Packs every picture of a folder that has a caption. A caption stands in a file of the same name (`cat.txt`, or
 * `cat.json` with `caption`, `caption_all`, `metadata`), or in a line of `captions.jsonl` or `metadata.jsonl` in the
 * same or a higher folder (`{"file_name": "cat.png", "caption": "a cat"}`; `text` serves for `caption`, too).
 * JPEG, PNG and WebP keep their bytes, other formats become PNG. A picture that cannot be used is left out and
 * named in the result.
 * @throws InputError when the folder is missing or not one picture can be used; DataFormatError for a damaged list;
 *   AbortedError when cancelled. Nothing is left behind then.
 */
export async function buildFolderData(options: FolderDataOptions): Promise<FolderDataResult> {
  const { folder, signal, onProgress } = options;
  const names = await listPictures(folder);
  const captions = new CaptionFiles(folder);
  const skipped: SkippedPicture[] = [];

  await using output = await OutputFolder.create(options.out);
  await using writer = new SampleWriter(output.workPath);
  for (const [index, name] of names.entries()) {
    if (signal?.aborted) throw new AbortedError("the data set was not finished", { where: options.out });
    try {
      const json = await captions.find(name);
      const image = await readPicture(join(folder, name));
      const key = createHash("sha256").update(name).digest("hex").slice(0, 32);
      await writer.add(key, { ...json, metadata: { ...json.metadata, source: name } }, [image]);
    } catch (error) {
      if (!(error instanceof UnusablePicture)) throw error;
      skipped.push({ name, reason: error.message });
    }
    onProgress?.({ done: index + 1, total: names.length });
  }
  const totals = await writer.close();
  if (totals.samples === 0) {
    const first = skipped[0];
    if (first === undefined) {
      throw new InputError("holds no pictures", { where: folder, remedy: "name a folder with pictures" });
    }
    throw new InputError(`none of its ${skipped.length} pictures can be used`, {
      where: folder,
      remedy: `the first one, ${first.name}: ${first.reason}`,
    });
  }
  await output.commit();
  return { folder: output.path, ...totals, skipped };
}

async function listPictures(folder: string): Promise<string[]> {
  const kind = await lstat(folder).catch(() => undefined);
  if (kind === undefined) throw new InputError("there is no such folder", { where: folder });
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
    .filter((entry) => PICTURE_EXTENSIONS.has(extname(entry.name).toLowerCase()))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
}

/** Decodes in full, so that damage shows here and not in the middle of a training run. */
async function readPicture(path: string): Promise<SampleImage> {
  if ((await lstat(path)).size > MAX_PICTURE_BYTES) {
    throw new UnusablePicture(`is larger than ${MAX_PICTURE_BYTES} bytes`);
  }
  const bytes = await readFile(path);
  try {
    const image = await decodeImage(bytes, path);
    const extension = formatOf(bytes);
    return extension === undefined
      ? { bytes: await encodePng(image, nodeZlib), extension: "png" }
      : { bytes, extension };
  } catch (error) {
    throw error instanceof DataFormatError ? new UnusablePicture(error.reason) : error;
  }
}

/** The format by its first bytes: names of files are not to be trusted. */
function formatOf(bytes: Uint8Array): SampleImage["extension"] | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 12));
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (start.startsWith("\xff\xd8\xff")) return "jpg";
  return start.startsWith("RIFF") && start.endsWith("WEBP") ? "webp" : undefined;
}
