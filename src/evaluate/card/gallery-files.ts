/** @file The gallery's files. */
import { join } from "node:path";
import { replaceFile } from "../../files/replacement-file.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { encodePng } from "../../image/encode-png.ts";
import { open } from "../../node/open-model.ts";
import { drawGallery, GALLERY_PROMPTS } from "../gallery.ts";

/** Draws and writes `gallery.png`, `gallery-edits.png` and `gallery.json` to a folder. */
export async function writeGallery(
  modelPath: string | undefined,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  await using model = await open(modelPath);
  const { pictures, edits } = await drawGallery(
    model,
    GALLERY_PROMPTS,
    signal === undefined ? {} : { signal },
  );
  const json = new TextEncoder().encode(`${JSON.stringify(GALLERY_PROMPTS, null, 2)}\n`);
  const files: readonly (readonly [string, Uint8Array])[] = [
    ["gallery.png", await encodePng(pictures, nodeZlib)],
    ["gallery-edits.png", await encodePng(edits, nodeZlib)],
    ["gallery.json", json],
  ];
  for (const [name, bytes] of files) await replaceFile(join(folder, name), (file) => file.write(bytes));
}
