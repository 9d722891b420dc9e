/** @file OpenAI's routes of models: the one that is served, under each of its names. */
import { z } from "zod";
import type { ServedModel } from "../contract/served-model.ts";
import type { Routes } from "./routes.ts";
import { checkModel, modelNames } from "./served-models.ts";
import type { ServerParts } from "./server-parts.ts";

const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal("model"),
    created: z.int(),
    owned_by: z.string(),
    root: z.string().meta({ description: "The model that an alias stands for." }),
  })
  .meta({ id: "Model" });

export function addOpenAiModels(routes: Routes, { model }: ServerParts): void {
  routes.add(
    {
      method: "get",
      path: "/v1/models",
      summary: "The served model and the names that stand for it",
      access: "key",
      answers: {
        200: {
          description: "Models.",
          schema: z.object({ object: z.literal("list"), data: z.array(modelSchema) }),
        },
      },
    },
    ({ context }) =>
      context.json({ object: "list", data: modelNames(model).map((name) => modelView(name, model)) }),
  );

  routes.add(
    {
      method: "get",
      // A name may hold a slash: ORG/NAME.
      path: "/v1/models/{id}",
      summary: "A model by name",
      access: "key",
      answers: { 200: { description: "The model.", schema: modelSchema } },
    },
    ({ context, param }) => {
      checkModel(param("id"), model);
      return context.json(modelView(param("id"), model));
    },
  );
}

function modelView(name: string, { id, created }: ServedModel): z.infer<typeof modelSchema> {
  return { id: name, object: "model", created: Math.floor(created), owned_by: "nextstep", root: id };
}
