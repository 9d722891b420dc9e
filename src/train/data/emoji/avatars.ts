/**
 * @file Portraits made of attributes (hair, colours, glasses, expression), to ask whether a model composes: pairs of
 * hair colour and shirt colour that no training picture shows are held out.
 */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { ConfigError, DataFormatError } from "../../../errors.ts";
import { randomFor } from "../../step-random.ts";
import type { WeightedCaption } from "../sample-json.ts";
import attributes from "./avatar-attributes.json" with { type: "json" };
import { type EmojiCredit, manifestSchema } from "./emoji-package.ts";
import { CANVAS_SIDE } from "./emoji-render.ts";
import { keyOf, png, type Sample, withCaptions } from "./emoji-samples.ts";
import { withIndefiniteArticle } from "./english-noun.ts";

const CORE_PACKAGE = "@dicebear/core";
const STYLE_PACKAGE = "@dicebear/open-peeps";
const STYLE = "avatar";
const GLASSES_SHARE = 0.4;
const HELD_OUT_SHARE = 0.1;

/** What one portrait shows, by the keys of the attribute file. */
export interface AvatarTraits {
  readonly hair: keyof typeof attributes.hair;
  readonly hairColour: keyof typeof attributes.hairColours;
  readonly shirtColour: keyof typeof attributes.shirtColours;
  readonly face: keyof typeof attributes.faces;
  readonly glasses: keyof typeof attributes.glasses | null;
}

export interface Avatar {
  readonly traits: AvatarTraits;
  readonly svg: string;
  readonly credit: EmojiCredit;
  readonly heldOut: boolean;
}

export interface AvatarPlan {
  readonly train: readonly Avatar[];
  readonly heldOut: readonly Avatar[];
  readonly credits: readonly (EmojiCredit & { readonly style: string })[];
}

/** The part of the drawing package that is used. */
interface AvatarPackage {
  createAvatar(style: unknown, options: Readonly<Record<string, unknown>>): { toString(): string };
}

/**
 * `count` different portraits for training and a tenth of that with held-out pairs of colours.
 * @throws ConfigError when a package is missing or more are asked for than there are; DataFormatError when a package
 * is not what it should be.
 */
export async function planAvatars(count: number, seed: number, from = process.cwd()): Promise<AvatarPlan> {
  if (count === 0) return { train: [], heldOut: [], credits: [] };
  if (!Number.isInteger(count) || count < 0) {
    throw new ConfigError(`${count} avatars were asked for`, {
      where: "avatars",
      remedy: "give a whole number",
    });
  }
  const core: unknown = await importFrom(CORE_PACKAGE, from);
  const style = await importFrom(STYLE_PACKAGE, from);
  if (!isAvatarPackage(core)) {
    throw new DataFormatError("has no createAvatar", {
      where: CORE_PACKAGE,
      remedy: "install its version 9",
    });
  }
  const credit = await creditOf(from);
  const draw = (traits: AvatarTraits): string => core.createAvatar(style, optionsOf(traits)).toString();
  const list = (heldOut: boolean, some: number): Avatar[] =>
    drawTraits(some, seed, heldOut).map((traits) => ({ traits, svg: draw(traits), credit, heldOut }));
  return {
    train: list(false, count),
    heldOut: list(true, Math.max(1, Math.round(count * HELD_OUT_SHARE))),
    credits: [{ style: STYLE, ...credit }],
  };
}

const HELD_OUT_PAIRS: ReadonlySet<string> = new Set(attributes.heldOut.map((pair) => pair.join("/")));

/** Whether no training picture shows the portrait's colours together. */
export function isHeldOutAvatar({ hairColour, shirtColour }: AvatarTraits): boolean {
  return HELD_OUT_PAIRS.has(`${hairColour}/${shirtColour}`);
}

/** Different portraits, of held-out pairs of colours or of all others. */
export function drawTraits(count: number, seed: number, heldOut: boolean): AvatarTraits[] {
  const rng = randomFor(seed, heldOut ? "held-out avatars" : "avatars");
  const pick = <K extends string>(table: Readonly<Record<K, string>>): K => {
    const keys = Object.keys(table) as K[];
    return keys[rng.below(keys.length)]!;
  };
  const size = (table: object): number => Object.keys(table).length;
  const { hair, hairColours, shirtColours, faces, glasses: worn } = attributes;
  const pairs = heldOut ? HELD_OUT_PAIRS.size : size(hairColours) * size(shirtColours) - HELD_OUT_PAIRS.size;
  // Random search finds half of them without many repetitions.
  const most = Math.floor((pairs * size(hair) * size(faces) * (size(worn) + 1)) / 2);
  if (count > most) {
    throw new ConfigError(`${count} different portraits were asked for`, {
      where: "avatars",
      remedy: `ask for at most ${most}`,
    });
  }
  const found = new Map<string, AvatarTraits>();
  while (found.size < count) {
    const traits: AvatarTraits = {
      hair: pick(attributes.hair),
      hairColour: pick(attributes.hairColours),
      shirtColour: pick(attributes.shirtColours),
      face: pick(attributes.faces),
      glasses: rng.uniform() < GLASSES_SHARE ? pick(attributes.glasses) : null,
    };
    if (isHeldOutAvatar(traits) === heldOut) found.set(Object.values(traits).join("/"), traits);
  }
  return [...found.values()];
}

function optionsOf({ hair, hairColour, shirtColour, face, glasses }: AvatarTraits): Record<string, unknown> {
  return {
    // Anything the traits do not decide is decided by this.
    seed: "nextstep",
    head: [hair],
    headContrastColor: [attributes.hairColours[hairColour]],
    clothingColor: [attributes.shirtColours[shirtColour]],
    skinColor: [attributes.skin],
    face: [face],
    accessories: glasses === null ? [] : [glasses],
    accessoriesProbability: glasses === null ? 0 : 100,
    facialHairProbability: 0,
    maskProbability: 0,
    backgroundColor: ["ffffff"],
  };
}

/** "a smiling person with red hair in a bun, glasses and a green shirt", and others. */
export function captionAvatar(traits: AvatarTraits): WeightedCaption[] {
  const { hair, hairColour, shirtColour, face, glasses } = traits;
  const mood = attributes.faces[face];
  const hairWords = attributes.hair[hair].replace("{}", hairColour);
  const worn = glasses === null ? "" : `, ${attributes.glasses[glasses]}`;
  const isClause = mood.startsWith("with ");
  const person = isClause ? `a person ${mood},` : `${withIndefiniteArticle(mood)} person with`;
  const shirt = withIndefiniteArticle(`${shirtColour} shirt`);
  return [
    { text: `${person} ${hairWords}${worn} and ${shirt}`, weight: 0.5 },
    { text: `avatar: ${mood}, ${hairWords}${worn}, ${shirtColour} shirt`, weight: 0.25 },
    { text: `a portrait of ${person} ${hairWords}${worn} and ${shirt}`, weight: 0.25 },
  ];
}

/** The portrait as a sample. @throws DataFormatError when it cannot be drawn. */
export async function writeAvatar({ traits, svg, credit, heldOut }: Avatar): Promise<Sample> {
  let bytes: Uint8Array;
  try {
    bytes = await sharp(Buffer.from(svg), { density: 192 })
      .resize(CANVAS_SIDE, CANVAS_SIDE, { fit: "contain", background: "#ffffff" })
      .flatten({ background: "#ffffff" })
      .png({ compressionLevel: 6, adaptiveFiltering: true })
      .toBuffer();
  } catch (cause) {
    throw new DataFormatError("the avatar cannot be drawn", { where: STYLE_PACKAGE, cause });
  }
  const metadata = {
    style: STYLE,
    ...traits,
    ...(heldOut ? { held_out: "colours" } : {}),
    licence: credit.licence,
    credit: `${credit.set} by ${credit.author}`,
    source: `${credit.package}@${credit.version}`,
  };
  const identity = `avatar ${Object.values(traits).join("/")}`;
  return [keyOf(identity), withCaptions(captionAvatar(traits), metadata), [png(bytes)]];
}

function isAvatarPackage(module: unknown): module is AvatarPackage {
  return typeof module === "object" && module !== null && "createAvatar" in module;
}

/** The main file of an installed package. */
function mainFile(name: string, from: string): string {
  for (const base of [`${from}/package.json`, import.meta.url]) {
    try {
      return createRequire(base).resolve(name);
    } catch {
      // Not visible from here; the next place may see it.
    }
  }
  throw new ConfigError("the packages that draw avatars are not installed", {
    where: "data emoji --avatars",
    remedy: `run: npm install ${CORE_PACKAGE}@9 ${STYLE_PACKAGE}@9`,
  });
}

async function importFrom(name: string, from: string): Promise<unknown> {
  return import(pathToFileURL(mainFile(name, from)).href);
}

async function creditOf(from: string): Promise<EmojiCredit> {
  const manifest = join(mainFile(STYLE_PACKAGE, from), "..", "..", "package.json");
  const { name, version } = manifestSchema.parse(JSON.parse(await readFile(manifest, "utf8")));
  return {
    set: "Open Peeps",
    author: "Pablo Stanley",
    authorUrl: "https://www.openpeeps.com/",
    licence: "CC0-1.0",
    licenceTitle: "CC0 1.0",
    licenceUrl: "https://creativecommons.org/publicdomain/zero/1.0/",
    package: name,
    version,
  };
}
