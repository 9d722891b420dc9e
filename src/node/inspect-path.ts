/** @file Inspects what lies on the disk, and whether drawing would take it. */
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { type InspectReaders, inspect, type Place } from "../checkpoint/inspect.ts";
import type { JsonKind } from "../checkpoint/inspect-json.ts";
import type { Inspection, TrainingInspection } from "../checkpoint/inspection.ts";
import type { Problem, ProblemKind } from "../checkpoint/problem.ts";
import { NextStepError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { nodeZlib } from "../files/zlib.ts";
import { NEXTSTEP_FILE, parseDefaultSettings, readDefaultSettings } from "../generate/default-settings.ts";
import { ownSizeMemory } from "../generate/own-size-memory.ts";
import { parseRecipe } from "../generate/recipe.ts";
import { parseTrainedOn, readTrainedOn, type TrainedOn } from "../generate/trained-on.ts";

/** What a model folder or a picture holds for drawing, as a file of its own. */
const DRAWING_KINDS: readonly JsonKind[] = [
  {
    of: "recipe of a picture",
    marks: (json) => ["settings", "prompt", "seed"].every((key) => Object.hasOwn(json, key)),
    read: (json, path) => parseRecipe(JSON.stringify(json), path),
  },
  {
    of: "settings that a model draws with",
    marks: (json) => {
      const keys = Object.keys(json);
      return keys.length > 0 && keys.every((key) => ["generation", "editing", "trained"].includes(key));
    },
    read: (json, path) => ({
      ...parseDefaultSettings(json, path, "v1.1"),
      ...(json.trained === undefined ? {} : { trained: described(parseTrainedOn(json, path)) }),
    }),
  },
];

/**
 * A file or folder by its path; see {@link inspect}. Settings that a model would not open with, and a recipe that could
 * not be drawn again, are fatal problems.
 * @param kinds of JSON that rooms above know.
 */
export async function inspectPath(path: string, kinds: readonly JsonKind[] = []): Promise<Inspection> {
  const readers: InspectReaders = {
    // The codec is loaded for pictures alone.
    decode: async (bytes, where) => (await import("../files/decode-image.ts")).decodeImage(bytes, where),
    zlib: nodeZlib,
    memory: ownSizeMemory,
    json: [...DRAWING_KINDS, ...kinds],
  };
  const found = await stat(path).catch(() => undefined);
  const place: Place = found?.isDirectory()
    ? { kind: "folder", folder: new LocalFolder(path) }
    : { kind: "file", beside: new LocalFolder(dirname(path)), member: basename(path) };
  return checkUse(await inspect(place, readers));
}

async function checkUse(inspection: Inspection): Promise<Inspection> {
  if (inspection.kind === "model") {
    const { path, release, hasImageModules } = inspection;
    const folder = new LocalFolder(path);
    let trained: TrainedOn = {};
    const found = await faultOf("settings", NEXTSTEP_FILE, async () => {
      await readDefaultSettings(folder, release);
      trained = await readTrainedOn(folder);
    });
    const problems = found.map((problem) => ({ ...problem, fatal: hasImageModules }));
    const known = Object.keys(trained).length === 0 ? {} : { trained: described(trained) };
    return { ...inspection, ...known, problems: [...inspection.problems, ...problems] };
  }
  if (inspection.kind === "picture" && inspection.recipe !== undefined) {
    const { recipe, path } = inspection;
    const found = await faultOf("recipe", "recipe", () => parseRecipe(JSON.stringify(recipe), path));
    return { ...inspection, problems: [...inspection.problems, ...found] };
  }
  return inspection;
}

/** Words are for looking up, not for reading. */
function described({ words, ...lists }: TrainedOn): TrainingInspection {
  return { ...lists, ...(words === undefined ? {} : { words: words.length }) };
}

async function faultOf(kind: ProblemKind, subject: string, read: () => unknown): Promise<readonly Problem[]> {
  try {
    await read();
    return [];
  } catch (error) {
    if (!(error instanceof NextStepError)) throw error;
    const { reason, remedy } = error;
    return [{ kind, subject, detail: reason, fatal: true, ...(remedy === undefined ? {} : { remedy }) }];
  }
}
