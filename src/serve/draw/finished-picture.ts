/** @file A drawn picture as it enters store and gallery: in the size and format asked for, with its tokens and a small one. */
import type { DrawingNote } from "../../generate/drawing-notes.ts";
import { type Picture, pictureTexts } from "../../generate/picture.ts";
import { floatBytes } from "../../tensor/float-bytes.ts";
import type { BlobStore } from "../contract/blob-store.ts";
import type { DrawRequest } from "../contract/draw-request.ts";
import type { NewPicture } from "../contract/gallery.ts";
import { type PasteBack, pasteBack } from "./paste-back.ts";
import { pictureFile, stretched, thumbnailOf } from "./picture-file.ts";

/** The same picture and request give the same bytes, so that what is stored twice is there once. */
export async function storePicture(
  picture: Picture,
  index: number,
  request: DrawRequest,
  paste: PasteBack | undefined,
  blobs: Pick<BlobStore, "put">,
): Promise<NewPicture> {
  const { asked, ground, output } = request;
  const { recipe } = picture;
  const drawn = await stretched(picture.pixels, asked);
  const shown = paste === undefined ? drawn : pasteBack(drawn, paste);
  const ofOthers = recipe.images !== undefined || ground?.kind === "mask" || ground?.kind === "place";
  const file = await pictureFile(
    shown,
    output,
    pictureTexts(recipe, { ...asked, isPastedBack: paste !== undefined }, ofOthers),
  );
  return {
    index,
    blob: await blobs.put(file),
    tokens: await blobs.put(floatBytes(picture.tokens)),
    thumbnail: await blobs.put(await thumbnailOf(shown)),
    bytes: file.length,
    width: asked.width,
    height: asked.height,
    recipe,
    notes: [...sizeNotes(request), ...picture.notes],
  };
}

function sizeNotes({ native, asked }: DrawRequest): readonly DrawingNote[] {
  if (native.width === asked.width && native.height === asked.height) return [];
  const text = `drawn in ${native.width} x ${native.height}, which the model knows, and resampled to ${asked.width} x ${asked.height}`;
  return [{ kind: "size", text }];
}
