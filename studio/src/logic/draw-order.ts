/** @file What the page asks of the server, from what stands in its fields and what is done to which picture. */
import type {
  AdapterChoice,
  Capabilities,
  Entry,
  Recipe,
  Settings,
  SizeText,
  Upload,
} from "../api/answers.ts";
import type { Grid } from "./grid.ts";
import { parseSize, sizeText } from "./grid.ts";
import { canvasOf, type Margins } from "./margins.ts";

/** The fields under the prompt. */
export interface Fields {
  readonly prompt: string;
  /** Words about the manner, set behind the prompt. */
  readonly style: string;
  readonly size: SizeText;
  readonly count: number;
  /** Undefined: a new one each time. */
  readonly seed: number | undefined;
  /** Settings other than the model's own. */
  readonly settings: Settings;
  readonly adapters: readonly AdapterChoice[];
}

/** What is done to which picture. */
export type Deed =
  | { readonly kind: "draw" }
  | { readonly kind: "edit"; readonly source: Source }
  /** Once more, whatever was done: the server knows what it was drawn from. */
  | { readonly kind: "repeat"; readonly picture: Entry }
  /** Cells to write anew, as the name of an uploaded mask in which they are white. */
  | { readonly kind: "brush"; readonly source: Source; readonly mask: string }
  | {
      readonly kind: "extend";
      readonly source: Source;
      readonly grid: Grid;
      readonly margins: Margins;
      readonly tokenSide: number;
    }
  /** The first rows stay. */
  | { readonly kind: "rewind"; readonly picture: Entry; readonly rows: number };

/** A picture of the gallery, or a file that was brought along. */
export type Source = { readonly picture: Entry } | { readonly upload: Upload };

export function sourceSize(source: Source): SizeText {
  return sizeText("picture" in source ? source.picture : source.upload);
}

/** Prompt and style words in one line, as the model reads them. */
export function fullPrompt({ prompt, style }: Pick<Fields, "prompt" | "style">): string {
  const [head, tail] = [prompt.trim().replace(/\s+/g, " "), style.trim().replace(/\s+/g, " ")];
  return tail === "" ? head : `${head.replace(/[,\s]+$/, "")}, ${tail.replace(/^[,\s]+/, "")}`;
}

/** A new seed, one that a person can read out. */
const MAX_NEW_SEED = 1_000_000;

export function newSeed(random: () => number = Math.random): number {
  return Math.floor(random() * MAX_NEW_SEED);
}

/** The body of `POST /v1/jobs`. */
export function orderOf(fields: Fields, deed: Deed, seed: number): Readonly<Record<string, unknown>> {
  const common = {
    prompt: fullPrompt(fields),
    n: fields.count,
    seed,
    previews: "rows",
    ...fields.settings,
    ...(fields.adapters.length === 0 ? {} : { adapters: fields.adapters }),
  };
  switch (deed.kind) {
    case "repeat":
      return { seed, previews: "rows", repeat: { picture: deed.picture.id } };
    case "draw":
      return { ...common, task: "generation", size: fields.size };
    case "edit":
      return { ...common, task: "edit", images: [imageOf(deed.source)], size: sourceSize(deed.source) };
    case "brush":
      return {
        ...common,
        task: "edit",
        images: [imageOf(deed.source)],
        size: sourceSize(deed.source),
        mask: deed.mask,
        mask_opens: "white",
      };
    case "extend": {
      const { size, left, top } = canvasOf(deed.grid, deed.margins, deed.tokenSide);
      return {
        ...common,
        task: "edit",
        images: [imageOf(deed.source)],
        size: sizeText(size),
        place: { left, top },
      };
    }
    case "rewind":
      return {
        ...common,
        task: "variation",
        size: sizeText(deed.picture),
        from: { picture: deed.picture.id, rows: deed.rows },
      };
  }
}

function imageOf(source: Source): unknown {
  return "picture" in source ? { picture: source.picture.id } : source.upload.blob;
}

/** Settings of a recipe that differ from what the model does by itself. */
export function ownSettings(settings: Settings, defaults: Settings): Settings {
  return Object.fromEntries(
    Object.entries(settings).filter(([name, value]) => name in defaults && defaults[name] !== value),
  );
}

/** Fields that repeat a recipe, as far as its adapters are among those that the server has. */
export function fieldsOfRecipe(
  recipe: Recipe,
  { defaults, adapters }: Pick<Capabilities, "defaults" | "adapters">,
): Fields {
  const settings = Object.entries(recipe.settings).map(([name, value]) => [fieldOf(name), value]);
  return {
    prompt: recipe.prompt,
    style: "",
    size: sizeText(recipe),
    count: 1,
    seed: recipe.seed,
    settings: ownSettings(Object.fromEntries(settings), defaults),
    adapters: (recipe.adapters ?? [])
      .filter(({ name }) => adapters.includes(name))
      .map(({ name, scale }) => ({ name, scale })),
  };
}

/** Whether a recipe's fields alone draw another picture: cells of it, or what the model read, came from others. */
export function isOfOthers({ kept, images = [] }: Recipe): boolean {
  return kept !== undefined || images.length > 0;
}

/** Fields that repeat a picture of the gallery, in the size in which it was asked for. */
export function fieldsOfEntry(
  entry: Entry,
  capabilities: Pick<Capabilities, "defaults" | "adapters">,
): Fields {
  return { ...fieldsOfRecipe(entry.recipe, capabilities), prompt: entry.prompt, size: sizeText(entry) };
}

/** The field of a setting: recipes write `cfgImg`, requests `cfg_img`. */
function fieldOf(setting: string): string {
  return setting.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Whether a size is the field's own, for sides the server accepts. */
export function isSizeText(text: string): text is SizeText {
  if (!/^\d{1,5}x\d{1,5}$/.test(text)) return false;
  const { width, height } = parseSize(text as SizeText);
  return width > 0 && height > 0;
}
