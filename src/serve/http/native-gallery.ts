/** @file The native routes of finished pictures, and of uploads. */
import { z } from "zod";
import type { GalleryEntry } from "../contract/gallery.ts";
import { invalidRequest, notFound } from "./api-error.ts";
import { entrySchema, entryView, ownEntry } from "./gallery-view.ts";
import { keepPicture } from "./input-picture.ts";
import { recipeIn } from "./picture-recipe.ts";
import type { CheckedRequest, Routes } from "./routes.ts";
import type { ServerParts } from "./server-parts.ts";

const listQuery = z.strictObject({
  limit: z.int().min(1).max(200).default(50),
  before: z.string().max(64).optional().meta({ description: "Newest first, older than this picture." }),
});

const contentQuery = z.object({
  download: z.string().optional().meta({ description: "Given: as a file to be saved." }),
});

const uploadSchema = z
  .object({
    blob: z.string().meta({ description: "Names the picture in `images` and `mask` of a job." }),
    width: z.int(),
    height: z.int(),
    recipe: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({ description: "Of a PNG that was drawn by this program." }),
    recipe_picture: z.string().nullable().meta({ description: "That picture, where it is in the gallery." }),
  })
  .meta({ id: "Upload" });

type AnyRequest = Pick<CheckedRequest<z.ZodObject, z.ZodObject>, "context" | "param">;

export function addNativeGallery(routes: Routes, parts: ServerParts): void {
  const { gallery, store, keys } = parts;

  const entryOf = async ({ context, param }: AnyRequest): Promise<GalleryEntry> => {
    const entry = await ownEntry(parts, param("id"), context.get("owner"));
    if (entry === undefined) throw notFound("picture", param("id"));
    return entry;
  };

  routes.add(
    {
      method: "post",
      path: "/v1/uploads",
      summary: "Keep a picture for a job",
      access: "key",
      body: { schema: z.strictObject({}), types: ["form"], files: { file: "The picture." } },
      answers: { 200: { description: "Its name and size.", schema: uploadSchema } },
    },
    async ({ context, files }) => {
      const [file, more] = files;
      if (file === undefined || more !== undefined) {
        throw invalidRequest("Give one picture as 'file'.", { param: "file" });
      }
      const { blob, size } = await keepPicture(file.bytes, "file", parts);
      const owner = context.get("owner");
      const known = await gallery.find(blob, keys.needed ? owner : undefined);
      return context.json({
        blob,
        ...size,
        recipe: await recipeIn(file.bytes),
        recipe_picture: known?.id ?? null,
      });
    },
  );

  routes.add(
    {
      method: "get",
      path: "/v1/gallery",
      summary: "Finished pictures, newest first",
      access: "key",
      query: listQuery,
      answers: {
        200: {
          description: "Pictures.",
          schema: z.object({ object: z.literal("list"), data: z.array(entrySchema), has_more: z.boolean() }),
        },
      },
    },
    async ({ context, query: { limit, before } }) => {
      const owner = context.get("owner");
      const wanted = owner === null ? {} : { owner };
      const found = await gallery.list({ ...wanted, limit, ...(before === undefined ? {} : { before }) });
      const last = found[limit - 1];
      const more = last === undefined ? [] : await gallery.list({ ...wanted, limit: 1, before: last.id });
      return context.json({
        object: "list",
        data: found.map((entry) => entryView(entry, parts)),
        has_more: more.length > 0,
      });
    },
  );

  routes.add(
    {
      method: "get",
      path: "/v1/gallery/{id}",
      summary: "A finished picture",
      access: "key",
      answers: { 200: { description: "The picture.", schema: entrySchema } },
    },
    async (request) => request.context.json(entryView(await entryOf(request), parts)),
  );

  routes.add(
    {
      method: "delete",
      path: "/v1/gallery/{id}",
      summary: "Remove a picture",
      access: "key",
      answers: {
        200: { description: "Gone.", schema: z.object({ id: z.string(), deleted: z.boolean() }) },
      },
    },
    async (request) => {
      const { id } = await entryOf(request);
      return request.context.json({ id, deleted: await gallery.remove(id) });
    },
  );

  const file = async (
    { context }: AnyRequest,
    entry: GalleryEntry,
    blob: string,
    type: string,
    name?: string,
  ): Promise<Response> => {
    const headers = {
      etag: `"${blob}"`,
      // Private where keys are: a shared cache must not answer others from it.
      "cache-control": `${keys.needed ? "private" : "public"}, max-age=31536000, immutable`,
      "content-type": type,
      ...(name === undefined ? {} : { "content-disposition": `attachment; filename="${name}"` }),
    };
    if (context.req.header("if-none-match")?.includes(blob) === true) {
      return new Response(null, { status: 304, headers });
    }
    const bytes = await store.get(blob);
    if (bytes === undefined) throw notFound("picture", entry.id);
    return new Response(new Uint8Array(bytes), { headers });
  };

  routes.add(
    {
      method: "get",
      path: "/v1/images/{id}/content",
      summary: "The file of a picture",
      access: "signed",
      query: contentQuery,
      answers: { 200: { description: "PNG, JPEG or WebP.", type: "image/png", schema: z.string() } },
    },
    async (request) => {
      const entry = await entryOf(request);
      const { format } = entry.request.output;
      const name = request.query.download === undefined ? undefined : fileName(entry);
      return file(request, entry, entry.blob, `image/${format}`, name);
    },
  );

  routes.add(
    {
      method: "get",
      path: "/v1/images/{id}/thumbnail",
      summary: "A small copy of a picture",
      access: "signed",
      answers: { 200: { description: "A WebP.", type: "image/webp", schema: z.string() } },
    },
    async (request) => {
      const entry = await entryOf(request);
      return file(request, entry, entry.thumbnail, "image/webp");
    },
  );
}

/** Prompt and seed in letters that every system takes. */
function fileName({ request, recipe }: GalleryEntry): string {
  const words = request.prompt
    .normalize("NFKD")
    .replaceAll(/[^A-Za-z0-9]+/g, "-")
    .slice(0, 60)
    .replaceAll(/^-+|-+$/g, "");
  const extension = request.output.format === "jpeg" ? "jpg" : request.output.format;
  return `${words === "" ? "picture" : words.toLowerCase()}-${recipe.seed}.${extension}`;
}
