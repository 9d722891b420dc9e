/** @file Routes for whoever runs the server: health, readiness, metrics, version, what it can do, and its own description. */
import { z } from "zod";
import { SAMPLER_NAMES } from "../../generate/solvers.ts";
import type { Routes } from "./routes.ts";
import { modelNames } from "./served-models.ts";
import type { ServerParts } from "./server-parts.ts";
import { settingFields } from "./setting-fields.ts";
import { sizeText } from "./size-field.ts";

const statusSchema = z.object({ status: z.string() });

const capabilitiesSchema = z
  .object({
    model: z.string(),
    aliases: z.array(z.string()),
    version: z.string(),
    size: z.string().meta({ description: "Its own square." }),
    sizes: z
      .array(z.string())
      .meta({ description: "Sizes that it was trained on; empty where it does not say." }),
    subjects: z
      .array(z.string())
      .meta({ description: "Subjects that it was trained on; empty where it does not say." }),
    words: z.array(z.string()).meta({
      description: "Words of the captions that it was trained on; others are said to be unknown in `notes`.",
    }),
    token_side: z
      .int()
      .meta({ description: "Pixels of a token's side: places and masks are in whole tokens." }),
    samplers: z.array(z.string()),
    defaults: z.object({
      drawing: z.record(z.string(), z.unknown()),
      editing: z.record(z.string(), z.unknown()),
    }),
    adapters: z
      .array(z.string())
      .meta({ description: "Adapters that requests may ask for, by the names that they go by here." }),
    abilities: z.object({ edit: z.boolean(), think: z.boolean() }),
    limits: z.object({
      max_pixels: z.int(),
      max_tokens: z.int(),
      max_n: z.int(),
      max_images: z.int(),
      max_body_bytes: z.int(),
      max_input_pixels: z.int(),
      max_prompt_characters: z.int(),
      max_queued: z.int(),
    }),
    needs_key: z.boolean(),
  })
  .meta({ id: "Capabilities" });

const DESCRIPTION =
  "Image generation: OpenAI's image routes, jobs to follow, a gallery, and a small part of the AUTOMATIC1111 routes.";

export function addOperations(routes: Routes, parts: ServerParts): void {
  const { model, sizes, state, metrics, limits, keys, version } = parts;
  const status = { 200: { description: "It is.", schema: statusSchema } };

  routes.add(
    {
      method: "get",
      path: "/health",
      aliases: ["/healthz", "/v2/health/live"],
      summary: "Whether the process is alive",
      access: "open",
      answers: status,
    },
    ({ context }) => context.json({ status: "ok" }),
  );

  routes.add(
    {
      method: "get",
      path: "/ready",
      aliases: ["/readyz", "/v2/health/ready"],
      summary: "Whether it takes jobs: the model has drawn, and the server is not stopping",
      access: "open",
      answers: { ...status, 503: { description: "Loading or draining.", schema: statusSchema } },
    },
    ({ context }) => context.json({ status: state.phase }, state.phase === "ready" ? 200 : 503),
  );

  routes.add(
    {
      method: "get",
      path: "/metrics",
      summary: "Metrics for Prometheus",
      access: "key",
      answers: { 200: { description: "Metrics.", type: "text/plain", schema: z.string() } },
    },
    async ({ context }) =>
      context.body(await metrics.text(parts.queue), 200, { "content-type": metrics.contentType }),
  );

  routes.add(
    {
      method: "get",
      path: "/version",
      summary: "Version of the program",
      access: "open",
      answers: { 200: { description: "The version.", schema: z.object({ version: z.string() }) } },
    },
    ({ context }) => context.json({ version }),
  );

  routes.add(
    {
      method: "get",
      path: "/capabilities",
      summary: "What the served model can be asked for, and how much",
      access: "open",
      answers: { 200: { description: "Abilities, defaults and limits.", schema: capabilitiesSchema } },
    },
    ({ context }) =>
      context.json({
        model: model.id,
        aliases: modelNames(model).slice(1),
        version,
        size: sizeText(model.size),
        sizes: (model.trained.sizes ?? []).map(([height, width]) => sizeText({ width, height })),
        subjects: [...(model.trained.subjects ?? [])],
        words: [...(model.trained.words ?? [])],
        token_side: model.tokenSide,
        samplers: [...SAMPLER_NAMES],
        defaults: {
          drawing: settingFields({ ...model.defaults.drawing }),
          editing: settingFields({ ...model.defaults.editing }),
        },
        adapters: [...(model.adapters ?? [])],
        abilities: model.abilities,
        limits: {
          max_pixels: limits.pixels,
          max_tokens: sizes.maxTokens,
          max_n: limits.pictures,
          max_images: limits.images,
          max_body_bytes: limits.bodyBytes,
          max_input_pixels: limits.inputPixels,
          max_prompt_characters: limits.promptCharacters,
          max_queued: parts.maxQueued,
        },
        needs_key: keys.needed,
      } satisfies z.infer<typeof capabilitiesSchema>),
  );

  let document: unknown;
  routes.add(
    {
      method: "get",
      path: "/openapi.json",
      summary: "This description",
      access: "open",
      answers: { 200: { description: "OpenAPI 3.1.", schema: z.record(z.string(), z.unknown()) } },
    },
    ({ context }) => {
      // Made when it is first asked for, when all routes are there.
      document ??= routes.app.getOpenAPI31Document({
        openapi: "3.1.0",
        info: { title: "nextstep", version, description: DESCRIPTION },
      });
      return context.json(document as Record<string, unknown>);
    },
  );
}
