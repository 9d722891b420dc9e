/** @file Edits: did the asked change happen, and is the rest as it was. */
import type { RgbImage } from "../../image/pixels.ts";
import { backgroundOf } from "../../train/data/emoji/background-colour.ts";
import type { EditKind } from "../../train/data/emoji/emoji-edits.ts";
import type { Background } from "../../train/data/emoji/emoji-scenes.ts";
import { isChanged, keptDecibels } from "../edit-outcome.ts";
import { meanOf, shareOf } from "../estimate.ts";
import { type Choose, type Heading, type Judged, type Row, rowOf } from "./row.ts";
import type { Scorer } from "./scorer.ts";

export interface Edited {
  readonly kind: EditKind;
  readonly source: RgbImage;
  /** Of the picture that is asked for. */
  readonly background: Background;
}

/**
 * Edits of one kind; `real` is the picture that is asked for. A background is judged by its colour; a style, which
 * changes all of the subject a little, by which of both pictures the result is nearer to; everything else by the
 * same, twice as near being asked for, in the pixels that differ between them.
 */
export async function editRows(
  heading: Heading,
  judged: readonly Judged<Edited>[],
  scorers: readonly Scorer[],
): Promise<Row[]> {
  const [first] = judged;
  if (first === undefined) return [];
  const changed =
    first.item.kind === "style"
      ? await styleRows(heading, judged, scorers)
      : await rowOf<Edited>(heading, "change made", "share", (pick) => {
          const answers = judged.flatMap((each) => isMade(pick, each) ?? []);
          return answers.length === 0 ? undefined : shareOf(answers.filter(Boolean).length, answers.length);
        });
  const kept = await rowOf<Edited>(heading, "rest kept", "decibels", (pick) => {
    const levels = judged.flatMap((each) => keptDecibels(pick(each), each.item.source, each.real) ?? []);
    return levels.length === 0 ? undefined : meanOf(levels);
  });
  return [...changed, ...kept];
}

function isMade(pick: Choose<Edited>, each: Judged<Edited>): boolean | undefined {
  const { kind, source, background } = each.item;
  return kind === "background"
    ? backgroundOf(pick(each)) === background
    : isChanged(pick(each), source, each.real);
}

async function styleRows(
  heading: Heading,
  judged: readonly Judged<Edited>[],
  scorers: readonly Scorer[],
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const scorer of scorers) {
    const sources = await scorer.of(judged.map(({ item }) => item.source));
    const targets = await scorer.of(judged.map(({ real }) => real));
    rows.push(
      ...(await rowOf<Edited>(heading, `change made by ${scorer.name}`, "share", async (pick) => {
        const results = await scorer.of(judged.map(pick));
        const nearer = results.filter(
          (result, index) =>
            scorer.distance(result, targets[index]!) < scorer.distance(result, sources[index]!),
        );
        return shareOf(nearer.length, judged.length);
      })),
    );
  }
  return rows;
}
