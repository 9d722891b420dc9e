/** @file What the server's doors need to know of an open model. */
import type { Model } from "../generate/model.ts";
import type { ServedModel } from "../serve/contract/served-model.ts";

/** Names that clients have written into them. */
const ALIASES: readonly string[] = [
  "gpt-image-2",
  "gpt-image-1.5",
  "gpt-image-1",
  "gpt-image-1-mini",
  "chatgpt-image-latest",
  "dall-e-3",
  "dall-e-2",
];

/** @param created Unix seconds */
export function servedModel(
  model: Model,
  options: { readonly aliases: boolean; readonly created: number },
): ServedModel {
  const { defaults, trained } = model;
  const [height, width] = model.size;
  // Published models have settings for editing of their own; a folder with settings has them if it was trained to edit.
  const edit = JSON.stringify(defaults.drawing) !== JSON.stringify(defaults.editing);
  return {
    id: model.name,
    aliases: options.aliases ? ALIASES : [],
    created: options.created,
    tokenSide: model.pixelsPerToken,
    defaults,
    size: { width, height },
    trained,
    adapters: model.adapters,
    abilities: { edit, think: model.thinks },
  };
}
