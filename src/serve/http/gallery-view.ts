/** @file Pictures of the gallery as JSON. */
import { z } from "zod";
import { withoutTags } from "../../generate/tagged-prompts.ts";
import type { GalleryEntry } from "../contract/gallery.ts";
import type { ServerParts } from "./server-parts.ts";
import { settingFields } from "./setting-fields.ts";
import { sizeText } from "./size-field.ts";

export const noteSchema = z
  .object({
    kind: z.string(),
    text: z.string(),
    words: z.array(z.string()).optional(),
    closest: z.array(z.string()).optional(),
  })
  .meta({ id: "Note", description: "What is worth knowing before looking at the picture." });

export const entrySchema = z
  .object({
    id: z.string(),
    object: z.literal("picture"),
    job: z.string(),
    created: z.number().meta({ description: "Unix seconds." }),
    width: z.int(),
    height: z.int(),
    native_size: z
      .string()
      .meta({ description: "What the model drew; `width` x `height` is resampled from it." }),
    prompt: z.string(),
    seed: z.int(),
    settings: z.record(z.string(), z.unknown()).meta({ description: "All that it was drawn with." }),
    notes: z.array(noteSchema),
    task: z.enum(["generation", "edit", "variation"]),
    url: z.string(),
    thumbnail_url: z.string(),
    bytes: z.int(),
    format: z.enum(["png", "jpeg", "webp"]),
    recipe: z.record(z.string(), z.unknown()).meta({ description: "Draws the picture again." }),
  })
  .meta({ id: "Picture" });

export type EntryView = z.infer<typeof entrySchema>;

export function entryView(entry: GalleryEntry, { keys }: Pick<ServerParts, "keys">): EntryView {
  const { id, job, created, width, height, request, recipe, notes, bytes } = entry;
  return {
    id,
    object: "picture",
    job,
    created,
    width,
    height,
    native_size: sizeText(request.native),
    prompt: request.images.length === 0 ? request.prompt : withoutTags(request.prompt).trim(),
    seed: recipe.seed,
    settings: settingFields({ ...recipe.settings }),
    notes: notes.map((note) => ({
      kind: note.kind,
      text: note.text,
      ...(note.words === undefined ? {} : { words: [...note.words] }),
      ...(note.closest === undefined ? {} : { closest: [...note.closest] }),
    })),
    task: request.task,
    url: contentPath(entry, keys),
    thumbnail_url: keys.sign(`/v1/images/${id}/thumbnail`, entry.owner),
    bytes,
    format: request.output.format,
    recipe: { ...recipe },
  };
}

export function contentPath(
  { id, owner }: Pick<GalleryEntry, "id" | "owner">,
  keys: ServerParts["keys"],
): string {
  return keys.sign(`/v1/images/${id}/content`, owner);
}

/** An entry that the owner may see; undefined also for those of others. */
export async function ownEntry(
  { gallery, keys }: Pick<ServerParts, "gallery" | "keys">,
  id: string,
  owner: string | null,
): Promise<GalleryEntry | undefined> {
  const entry = await gallery.get(id);
  return entry === undefined || (keys.needed && entry.owner !== owner) ? undefined : entry;
}
