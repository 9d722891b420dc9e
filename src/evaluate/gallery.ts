/**
 * @file The gallery: the best known subjects in the order of the data's ranking, scenes and edits, all with one seed.
 * Prompts are committed before anything is drawn from them, and whatever comes is shown.
 */
import { z } from "zod";
import type { Model } from "../generate/model.ts";
import type { Picture } from "../generate/picture.ts";
import { pictureGrid } from "../image/picture-grid.ts";
import type { RgbImage } from "../image/pixels.ts";
import promptsJson from "./gallery-prompts.json" with { type: "json" };

/** Pictures in a row. */
const COLUMNS = 8;

const promptsSchema = z.strictObject({
  seed: z.int().nonnegative(),
  subjects: z.array(z.string()).length(3 * COLUMNS),
  scenes: z.array(z.string()).length(COLUMNS),
  edits: z.array(z.strictObject({ of: z.string(), instruction: z.string() })).length(COLUMNS),
});
export type GalleryPrompts = z.infer<typeof promptsSchema>;

export const GALLERY_PROMPTS: GalleryPrompts = promptsSchema.parse(promptsJson);

export interface Gallery {
  /** Three rows of subjects and one of scenes. */
  readonly pictures: RgbImage;
  /** A row of drawings, and below each what came of editing it. */
  readonly edits: RgbImage;
}

/** Draws everything, a row at a time; `onRow` is told how many of how many are done. */
export async function drawGallery(
  model: Pick<Model, "draw">,
  prompts: GalleryPrompts = GALLERY_PROMPTS,
  {
    signal,
    onRow,
  }: { readonly signal?: AbortSignal; readonly onRow?: (done: number, of: number) => void } = {},
): Promise<Gallery> {
  const { seed, subjects, scenes, edits } = prompts;
  const plain = [...subjects, ...scenes];
  const lists = [
    ...Array.from({ length: plain.length / COLUMNS }, (_, row) =>
      plain.slice(row * COLUMNS, (row + 1) * COLUMNS),
    ),
    edits.map(({ of }) => of),
  ];
  const options = { seed, ...(signal === undefined ? {} : { signal }) };
  const rows: RgbImage[][] = [];
  const push = (row: readonly Picture[]): void => {
    rows.push(row.map(({ pixels }) => pixels));
    onRow?.(rows.length, lists.length + 1);
  };
  for (const list of lists) push(await model.draw(list, options));
  const before = rows.at(-1)!;
  push(
    await model.draw(
      edits.map(({ instruction }) => `<image>${instruction}`),
      { ...options, images: before },
    ),
  );
  return { pictures: pictureGrid(rows.slice(0, -2)), edits: pictureGrid(rows.slice(-2)) };
}
