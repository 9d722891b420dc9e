/** @file The pictures, edits and portraits of a folder that `nextstep data emoji` made, by what they show. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { DataFormatError } from "../../errors.ts";
import { readWholeFile } from "../../files/file-source.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { TarDataset } from "../../train/data/dataset-reader.ts";
import { EDIT_KINDS, type EditKind } from "../../train/data/emoji/emoji-edits.ts";
import { HELD_OUT_KINDS } from "../../train/data/emoji/emoji-held-out.ts";
import {
  BACKGROUNDS,
  type Background,
  COUNT_LAYOUTS,
  GROUP_LAYOUTS,
  PAIR_LAYOUTS,
  SINGLE_LAYOUTS,
} from "../../train/data/emoji/emoji-scenes.ts";
import { EMOJI_STYLES } from "../../train/data/emoji/emoji-styles.ts";
import type { NamedSubject } from "../caption-subject.ts";

const MAX_JSON_BYTES = 64 * 1024 * 1024;
const REMEDY = "make the data set with `nextstep data emoji`";
/** What the things of a data set are called. */
export const SUBJECTS_FILE = "subjects.json";

const sceneSchema = z.object({
  subject: z.string(),
  second_subject: z.string().optional(),
  other_subjects: z.array(z.string()).optional(),
  style: z.enum(EMOJI_STYLES),
  layout: z.enum([...SINGLE_LAYOUTS, ...COUNT_LAYOUTS, ...PAIR_LAYOUTS, ...GROUP_LAYOUTS]),
  background: z.enum(Object.keys(BACKGROUNDS) as [Background, ...Background[]]),
  held_out: z.enum(HELD_OUT_KINDS).optional(),
});
const editSchema = z.object({ edit: z.enum(EDIT_KINDS), target: sceneSchema });
const avatarSchema = z.object({ hairColour: z.string(), shirtColour: z.string() });
const subjectSchema = z.object({
  id: z.string(),
  name: z.string(),
  plural: z.string().optional(),
  synonyms: z.array(z.string()),
});
/** What is known of all subjects, alone or beside the names of those that are trained on. */
const subjectsSchema = z.union([
  z.array(subjectSchema),
  z.object({ details: z.array(subjectSchema) }).transform(({ details }) => details),
]);
/** Folders of square pictures that training shows: all in one, or by what they show. */
const SEEN_FOLDERS = ["train", "singles", "styles", "scenes", "groups"] as const;

/** What a picture shows, by the names of the data. */
export type SceneFacts = z.infer<typeof sceneSchema>;

interface Recorded {
  /** The same for the same picture in every data set. */
  readonly key: string;
  /** The likeliest caption, and all. */
  readonly caption: string;
  readonly captions: readonly string[];
}

export interface SceneRecord extends Recorded {
  readonly shows: SceneFacts;
  load(): Promise<RgbImage>;
}

export interface EditRecord {
  readonly key: string;
  readonly kind: EditKind;
  readonly instruction: string;
  readonly target: SceneFacts;
  load(): Promise<{ readonly source: RgbImage; readonly target: RgbImage }>;
}

export interface AvatarRecord extends Recorded {
  readonly hair: string;
  readonly shirt: string;
  load(): Promise<RgbImage>;
}

/** Pictures that training shows, and such of the same subjects or attributes that it does not. */
interface Split<Item> {
  readonly seen: readonly Item[];
  readonly heldOut: readonly Item[];
}

/** Lists read once; pictures are read when they are asked for. */
export class EvaluationData implements AsyncDisposable {
  readonly scenes: Split<SceneRecord>;
  /** Subjects in no training picture, alone on white. */
  readonly unseen: readonly SceneRecord[];
  /** Edits of training. */
  readonly edits: readonly EditRecord[];
  readonly avatars: Split<AvatarRecord>;
  readonly subjects: readonly NamedSubject[];
  readonly #open: readonly TarDataset[];

  private constructor(
    lists: Pick<EvaluationData, "scenes" | "unseen" | "edits" | "avatars" | "subjects">,
    open: readonly TarDataset[],
  ) {
    this.scenes = lists.scenes;
    this.unseen = lists.unseen;
    this.edits = lists.edits;
    this.avatars = lists.avatars;
    this.subjects = lists.subjects;
    this.#open = open;
  }

  /** @throws InputError or DataFormatError when the folder is not such a data set. */
  static async open(folder: string): Promise<EvaluationData> {
    const open: TarDataset[] = [];
    /** What was made with other options lacks folders. */
    const tars = async (name: string): Promise<TarDataset | undefined> => {
      const path = join(folder, name);
      if ((await stat(path).catch(() => undefined)) === undefined) return undefined;
      const data = await TarDataset.open(path);
      open.push(data);
      return data;
    };
    try {
      const subjects = await readSubjects(join(folder, SUBJECTS_FILE));
      const seen: SceneRecord[] = [];
      for (const name of SEEN_FOLDERS) seen.push(...(await scenesOf(await tars(name))));
      if (seen.length === 0) {
        throw new DataFormatError("holds no training pictures", { where: folder, remedy: REMEDY });
      }
      const lists = {
        subjects,
        scenes: { seen, heldOut: await scenesOf(await tars("heldout")) },
        unseen: await scenesOf(await tars("unseen")),
        edits: await editsOf(await tars("edits")),
        avatars: {
          seen: await avatarsOf(await tars("avatars")),
          heldOut: await avatarsOf(await tars("avatars-heldout")),
        },
      };
      return new EvaluationData(lists, open);
    } catch (error) {
      await Promise.all(open.map((data) => data[Symbol.asyncDispose]()));
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#open.map((data) => data[Symbol.asyncDispose]()));
  }
}

async function readSubjects(path: string): Promise<NamedSubject[]> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(await readWholeFile(path, MAX_JSON_BYTES)));
  } catch (cause) {
    throw new DataFormatError("cannot be read", { where: path, remedy: REMEDY, cause });
  }
  return check(subjectsSchema, json, path).map(({ id, name, plural, synonyms }) => ({
    id,
    names: [name, ...synonyms, ...(plural === undefined ? [] : [plural])],
  }));
}

/** @throws DataFormatError for what is not described as the data command describes it. */
function check<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new DataFormatError(`${issue?.path.join(".")}: ${issue?.message}`, { where, remedy: REMEDY });
}

interface Described extends Recorded {
  readonly index: number;
  readonly where: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

async function describe(data: TarDataset | undefined): Promise<Described[]> {
  return Promise.all(
    Array.from({ length: data?.length ?? 0 }, async (_, index) => {
      const { key, where, captions, metadata, description } = await data!.textAt(index);
      const caption = description.caption ?? captions[0]?.text ?? "";
      return { index, key, where, caption, captions: captions.map(({ text }) => text), metadata };
    }),
  );
}

async function scenesOf(data: TarDataset | undefined): Promise<SceneRecord[]> {
  return (await describe(data)).map(({ index, key, caption, captions, where, metadata }) => ({
    key,
    caption,
    captions,
    shows: check(sceneSchema, metadata, where),
    load: async () => (await data!.imagesAt(index))[0]!,
  }));
}

async function editsOf(data: TarDataset | undefined): Promise<EditRecord[]> {
  return (await describe(data)).map(({ index, key, caption, where, metadata }) => {
    const { edit, target } = check(editSchema, metadata, where);
    return {
      key,
      kind: edit,
      instruction: caption.replace(/<image_\d+>/g, ""),
      target,
      load: async () => {
        const [source, result] = await data!.imagesAt(index);
        return { source: source!, target: result! };
      },
    };
  });
}

async function avatarsOf(data: TarDataset | undefined): Promise<AvatarRecord[]> {
  return (await describe(data)).map(({ index, key, caption, captions, where, metadata }) => {
    const { hairColour, shirtColour } = check(avatarSchema, metadata, where);
    return {
      key,
      caption,
      captions,
      hair: hairColour,
      shirt: shirtColour,
      load: async () => (await data!.imagesAt(index))[0]!,
    };
  });
}
