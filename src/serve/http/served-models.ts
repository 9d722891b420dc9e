/** @file Names of the served model. */

import { printable } from "../../formats/quoted.ts";
import type { ServedModel } from "../contract/served-model.ts";
import { ApiError } from "./api-error.ts";

/** The model's own name first. */
export function modelNames({ id, aliases }: ServedModel): readonly string[] {
  return [id, ...aliases.filter((alias) => alias !== id)];
}

/** @throws ApiError of status 404 for a name that is none of the served model's. */
export function checkModel(name: string | undefined, model: ServedModel): void {
  if (name === undefined || modelNames(model).includes(name)) return;
  throw new ApiError(
    404,
    `The model '${printable(name.slice(0, 100))}' does not exist: this server has '${model.id}'.`,
    { param: "model", code: "model_not_found" },
  );
}
