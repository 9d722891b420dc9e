/** @file Drawings from text: single subjects, backgrounds, counts, pairs, groups, portraits. */
import { countOf, kindsIn } from "../../train/data/emoji/emoji-scenes.ts";
import { DEFAULT_STYLE, type EmojiStyle } from "../../train/data/emoji/emoji-styles.ts";
import { avatarRows, type Portrayed } from "./avatar-rows.ts";
import type { SceneRecord } from "./evaluation-data.ts";
import type { GroupShare } from "./measures.ts";
import { isPlain } from "./reference-pictures.ts";
import type { Heading, Row, Split } from "./row.ts";
import {
  backgroundRows,
  type Counted,
  countingRows,
  groupRows,
  type Placed,
  pairRows,
} from "./scene-rows.ts";
import { edgeRows, kernelRows, residueRows, retrievalRows } from "./single-rows.ts";
import type { Task } from "./task.ts";
import type { Wanted, Workshop } from "./workshop.ts";

const SPLITS = [
  ["seen", "seen"],
  ["heldOut", "held-out"],
] as const;

/** A drawing and a copy of each. */
const MADE_OF_EACH = 2;

/** A task for some of the records, if there are any: how each becomes a wanted picture, and what is said of all. */
function taskOf<Rec extends { readonly key: string }, Item>(
  shop: Workshop,
  share: GroupShare,
  records: readonly Rec[],
  heading: Heading,
  work: {
    readonly folder: string;
    want(record: Rec): Promise<Wanted<Item>>;
    rows(judged: Awaited<ReturnType<typeof shop.judge<Item>>>): Promise<Row[]>;
  },
): Task[] {
  if (shop.parts.drawer === undefined || records.length === 0) return [];
  const chosen = shop.choose(records, share);
  return [
    {
      name: `${heading.group}, ${heading.split}`,
      pictures: MADE_OF_EACH * chosen.length,
      run: async () => work.rows(await shop.judge(work.folder, await Promise.all(chosen.map(work.want)))),
    },
  ];
}

/** Subjects alone on white, in each style of the data. */
function singleTasks(shop: Workshop): Task[] {
  if (!shop.wants("retrieval", "kernel-distance", "edges", "residue")) return [];
  const { data, scorers } = shop.parts;
  const net = scorers.find(({ name }) => name === "net");
  return SPLITS.flatMap(([list, split]) => {
    const records = data.scenes[list].filter(({ shows }) => isPlain(shows));
    return stylesOf(records).flatMap((style) =>
      taskOf(
        shop,
        style === DEFAULT_STYLE ? "singles" : "styles",
        records.filter(({ shows }) => shows.style === style),
        { group: `${style} singles`, split },
        {
          folder: `singles-${style}-${split}`,
          want: async (record) =>
            wantedOf(record, await shop.load(record), { subject: record.shows.subject }),
          rows: async (judged) => {
            const heading = { group: `${style} singles`, split };
            const references = shop.references(style, "whole");
            return [
              ...(shop.wants("retrieval") ? await retrievalRows(heading, judged, scorers, references) : []),
              ...(shop.wants("kernel-distance") && net !== undefined
                ? await kernelRows(heading, judged, net)
                : []),
              ...(shop.wants("edges") ? await edgeRows(heading, judged) : []),
              ...(shop.wants("residue") ? await residueRows(heading, judged) : []),
            ];
          },
        },
      ),
    );
  });
}

/** One subject on a coloured background. */
function backgroundTasks(shop: Workshop): Task[] {
  if (!shop.wants("background")) return [];
  return scenesBySplit(
    shop,
    ({ layout, background }) => layout === "single" && background !== "white",
  ).flatMap(([records, split]) => {
    const heading = { group: "backgrounds", split };
    return taskOf(shop, "backgrounds", records, heading, {
      folder: `backgrounds-${split}`,
      want: async (record) =>
        wantedOf(record, await shop.load(record), { background: record.shows.background }),
      rows: (judged) => backgroundRows(heading, judged),
    });
  });
}

/** Two to four of a kind on white. */
function countingTasks(shop: Workshop): Task[] {
  if (!shop.wants("counting")) return [];
  const isCounted = ({ layout, background }: SceneRecord["shows"]): boolean =>
    countOf(layout) !== undefined && background === "white";
  return scenesBySplit(shop, isCounted).flatMap(([records, split]) => {
    const heading = { group: "counting", split };
    return taskOf<SceneRecord, Counted>(shop, "counting", records, heading, {
      folder: `counting-${split}`,
      want: async (record) => {
        const { subject, style, layout } = record.shows;
        const alone = await shop.load(shop.alone(subject, style)!);
        const item = { subject, layout, count: countOf(layout)!, alone };
        return wantedOf(record, await shop.load(record), item);
      },
      rows: (judged) =>
        countingRows(heading, judged, shop.parts.scorers, shop.references(DEFAULT_STYLE, "small")),
    });
  });
}

/** Two subjects on white, their places named. */
function pairTasks(shop: Workshop): Task[] {
  if (!shop.wants("objects")) return [];
  const isPair = ({ layout, background }: SceneRecord["shows"]): boolean =>
    kindsIn(layout) === 2 && background === "white";
  return scenesBySplit(shop, isPair).flatMap(([records, split]) => {
    const heading = { group: "pairs", split };
    return taskOf<SceneRecord, Placed>(shop, "pairs", records, heading, {
      folder: `pairs-${split}`,
      want: async (record) => {
        const { subject, second_subject, layout } = record.shows;
        const place = layout === "beside" ? " to the left of " : " above ";
        // "A dog and a cat" would not say where.
        const prompt = record.captions.find((caption) => caption.includes(place)) ?? record.caption;
        const item = { subjects: [subject, second_subject!] as const, layout };
        return { ...wantedOf(record, await shop.load(record), item), prompt };
      },
      rows: (judged) =>
        pairRows(heading, judged, shop.parts.scorers, shop.references(DEFAULT_STYLE, "small")),
    });
  });
}

/** Three or four different subjects on white. */
function groupTasks(shop: Workshop): Task[] {
  if (!shop.wants("objects")) return [];
  const isGroup = ({ layout, background }: SceneRecord["shows"]): boolean =>
    kindsIn(layout) > 2 && background === "white";
  return scenesBySplit(shop, isGroup).flatMap(([records, split]) => {
    const heading = { group: "groups", split };
    return taskOf<SceneRecord, Placed>(shop, "groups", records, heading, {
      folder: `groups-${split}`,
      want: async (record) => {
        const { subject, second_subject, other_subjects = [], layout } = record.shows;
        const item = { subjects: [subject, second_subject!, ...other_subjects], layout };
        return wantedOf(record, await shop.load(record), item);
      },
      rows: (judged) =>
        groupRows(heading, judged, shop.parts.scorers, shop.references(DEFAULT_STYLE, "small")),
    });
  });
}

/** Portraits, pairs of colours seen and held out. */
function avatarTasks(shop: Workshop): Task[] {
  if (!shop.wants("avatars")) return [];
  return SPLITS.flatMap(([list, split]) => {
    const heading = { group: "avatars", split };
    const records = shop.parts.data.avatars[list];
    return taskOf<(typeof records)[number], Portrayed>(shop, "avatars", records, heading, {
      folder: `avatars-${split}`,
      want: async (record) => wantedOf(record, await shop.load(record), record),
      rows: (judged) => avatarRows(heading, judged),
    });
  });
}

/** All drawings from text. */
export function pictureTasks(shop: Workshop): Task[] {
  return [
    ...singleTasks(shop),
    ...backgroundTasks(shop),
    ...countingTasks(shop),
    ...pairTasks(shop),
    ...groupTasks(shop),
    ...avatarTasks(shop),
  ];
}

function wantedOf<Item>(
  { key, caption }: { readonly key: string; readonly caption: string },
  real: Wanted<Item>["real"],
  item: Item,
): Wanted<Item> {
  return { key, prompt: caption, real, item };
}

function stylesOf(records: readonly SceneRecord[]): EmojiStyle[] {
  return [...new Set(records.map(({ shows }) => shows.style))].sort();
}

/** Scenes of the default style that show something, by split. */
function scenesBySplit(
  { parts }: Workshop,
  shows: (facts: SceneRecord["shows"]) => boolean,
): (readonly [SceneRecord[], Split])[] {
  return SPLITS.map(([list, split]) => [
    parts.data.scenes[list].filter((record) => record.shows.style === DEFAULT_STYLE && shows(record.shows)),
    split,
  ]);
}
