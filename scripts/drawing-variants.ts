/** @file Ways of drawing that a tool compares: `NAME=JSON` with other settings, `NAME:FOLDER=JSON` with another model. */
import { isJsonObject } from "../src/formats/json-file.ts";
import { type DrawSettings, pickSettings } from "../src/generate/settings.ts";
import { refuseUsage } from "./tool-options.ts";

export interface DrawingVariant {
  readonly name: string;
  /** Folder. */
  readonly model: string;
  readonly settings: Partial<DrawSettings>;
}

/** Settings of the command line. Ends the tool for what are none. */
export function drawingSettings(tool: string, json: string): Partial<DrawSettings> {
  let given: unknown;
  try {
    given = JSON.parse(json);
  } catch {
    refuseUsage(tool, `"${json}" is not JSON`);
  }
  if (!isJsonObject(given)) refuseUsage(tool, `"${json}" is not an object of settings`);
  return pickSettings(given);
}

/** The model with its own settings, and behind it what the command line asks for. Ends the tool where that is no variant. */
export function drawingVariants(
  tool: string,
  source: string,
  texts: readonly string[],
): readonly DrawingVariant[] {
  const variantOf = (text: string): DrawingVariant => {
    const [, name, model = source, json] = /^([^=:]+)(?::([^=]+))?=(.*)$/s.exec(text) ?? [];
    if (name === undefined || json === undefined) refuseUsage(tool, `"${text}" is not NAME=JSON`);
    return { name, model, settings: drawingSettings(tool, json) };
  };
  return [{ name: "as it is", model: source, settings: {} }, ...texts.map(variantOf)];
}
