/** @file What needs no drawing: the image tokenizer's copies, and captions of real pictures. */
import { VALIDATION_NOISE } from "../../train/autoencoder/autoencoder-validation.ts";
import { DEFAULT_STYLE } from "../../train/data/emoji/emoji-styles.ts";
import { SubjectNames } from "../caption-subject.ts";
import { type Captioned, captionRows } from "./caption-rows.ts";
import type { SceneRecord } from "./evaluation-data.ts";
import { isPlain } from "./reference-pictures.ts";
import type { Row, Split } from "./row.ts";
import type { Task } from "./task.ts";
import { tokenizerRows } from "./tokenizer-rows.ts";
import type { Workshop } from "./workshop.ts";

/** Words of the longest captions are fewer than this many tokens. */
const CAPTION_TOKENS = 48;

/** Subjects that training shows, and such that it shows in no picture. */
export function tokenizerTasks(shop: Workshop): Task[] {
  if (!shop.wants("tokenizer")) return [];
  const { scenes, unseen } = shop.parts.data;
  const task = (split: Split, records: readonly SceneRecord[]): Task[] => {
    if (records.length === 0) return [];
    const chosen = shop.choose(records, "tokenizer");
    const heading = { group: "image tokenizer", split };
    return [
      {
        name: `${heading.group}, ${split}`,
        pictures: VALIDATION_NOISE.length * chosen.length,
        run: async () => {
          const pictures = await Promise.all(chosen.map((record) => shop.load(record)));
          const levels = await shop.parts.copier.withNoise(pictures, VALIDATION_NOISE);
          return VALIDATION_NOISE.flatMap((noise, index) =>
            tokenizerRows(heading, noise, pictures, levels[index]!),
          );
        },
      },
    ];
  };
  const isDefault = ({ shows }: SceneRecord): boolean => isPlain(shows) && shows.style === DEFAULT_STYLE;
  return [...task("seen", scenes.seen.filter(isDefault)), ...task("held-out", unseen)];
}

/** Captions of subjects on white, which training shows, and on backgrounds on which it does not. */
export function captionTasks(shop: Workshop): Task[] {
  const { signal, onMade, evaluated } = shop.parts;
  const { model } = evaluated;
  if (!shop.wants("captions") || model === undefined) return [];
  const { scenes, subjects } = shop.parts.data;
  const names = new SubjectNames(subjects);
  const task = (split: Split, records: readonly SceneRecord[]): Task[] => {
    if (records.length === 0) return [];
    const chosen = shop.choose(records, "captions");
    const heading = { group: "captions", split };
    return [
      {
        name: `${heading.group}, ${split}`,
        pictures: chosen.length,
        run: async (): Promise<Row[]> => {
          const written: Captioned[] = [];
          for (const record of chosen) {
            const picture = await shop.load(record);
            const options = { maxTokens: CAPTION_TOKENS, ...(signal === undefined ? {} : { signal }) };
            const text = await model.caption(picture, options).text();
            onMade?.(1);
            written.push({ text, subject: record.shows.subject, captions: record.captions });
          }
          return captionRows(heading, written, names);
        },
      },
    ];
  };
  const isDefault = ({ shows }: SceneRecord): boolean => shows.style === DEFAULT_STYLE;
  return [
    ...task(
      "seen",
      scenes.seen.filter((record) => isDefault(record) && isPlain(record.shows)),
    ),
    ...task(
      "held-out",
      scenes.heldOut.filter((record) => isDefault(record) && record.shows.held_out === "background"),
    ),
  ];
}
