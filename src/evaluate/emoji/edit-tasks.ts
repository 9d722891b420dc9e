/**
 * @file Edits. Those of training are seen; pictures whose background, style or subject's place training never shows
 * make held-out ones of the three kinds that need no further picture.
 */
import { EDIT_KINDS, type EditKind } from "../../train/data/emoji/emoji-edits.ts";
import { DEFAULT_STYLE } from "../../train/data/emoji/emoji-styles.ts";
import { mirrored } from "../edit-outcome.ts";
import { type Edited, editRows } from "./edit-rows.ts";
import type { EditRecord, SceneRecord } from "./evaluation-data.ts";
import { EVALUATION_SETTINGS } from "./measures.ts";
import { isPlain } from "./reference-pictures.ts";
import type { Split } from "./row.ts";
import type { Task } from "./task.ts";
import type { Workshop } from "./workshop.ts";

const MAIN_KINDS: readonly EditKind[] = ["background", "style", "mirror"];

/** A drawing with a picture to read takes about as long as two, and the copy is one more. */
const MADE_OF_EACH = 3;

export function editTasks(shop: Workshop): Task[] {
  if (!shop.wants("edits")) return [];
  const { edits } = shop.parts.data;
  return EDIT_KINDS.flatMap((kind) => [
    ...taskOf(
      shop,
      kind,
      "seen",
      edits.filter((edit) => edit.kind === kind),
    ),
    ...taskOf(shop, kind, "held-out", heldOutEdits(shop, kind)),
  ]);
}

function taskOf(shop: Workshop, kind: EditKind, split: Split, records: readonly EditRecord[]): Task[] {
  if (shop.parts.drawer === undefined || records.length === 0) return [];
  const chosen = shop.choose(records, MAIN_KINDS.includes(kind) ? "mainEdits" : "otherEdits");
  const heading = { group: `edit: ${kind}`, split };
  return [
    {
      name: `${heading.group}, ${split}`,
      pictures: MADE_OF_EACH * chosen.length,
      run: async () => {
        const wanted = await Promise.all(
          chosen.map(async (record) => {
            const pictures = await record.load();
            const [source, real] = [shop.fit(pictures.source), shop.fit(pictures.target)];
            const item: Edited = { kind, source, background: record.target.background };
            return { key: record.key, prompt: record.instruction, image: source, real, item };
          }),
        );
        return editRows(heading, await shop.judge(`edit-${kind}-${split}`, wanted), shop.parts.scorers);
      },
    },
  ];
}

function heldOutEdits(shop: Workshop, kind: EditKind): EditRecord[] {
  const { instructions } = EVALUATION_SETTINGS;
  const { heldOut } = shop.parts.data.scenes;
  switch (kind) {
    case "background":
      return heldOut
        .filter(({ shows }) => shows.held_out === "background")
        .flatMap((target) =>
          fromPlain(shop, target, kind, fill(instructions.background, target.shows.background)),
        );
    case "style":
      return heldOut
        .filter(({ shows }) => shows.held_out === "style" && isPlain(shows))
        .flatMap((target) => fromPlain(shop, target, kind, fill(instructions.style, target.shows.style)));
    case "mirror":
      return heldOut
        .filter(({ shows }) => shows.held_out === "background")
        .map(({ key, shows, load }) => ({
          key,
          kind,
          instruction: instructions.mirror,
          target: shows,
          load: async () => {
            const source = await load();
            return { source, target: mirrored(source) };
          },
        }));
    default:
      return [];
  }
}

/** From the subject alone on white in the default style to a held-out picture. */
function fromPlain(shop: Workshop, target: SceneRecord, kind: EditKind, instruction: string): EditRecord[] {
  const source = shop.alone(target.shows.subject, DEFAULT_STYLE);
  if (source === undefined) return [];
  return [
    {
      key: target.key,
      kind,
      instruction,
      target: target.shows,
      load: async () => ({ source: await source.load(), target: await target.load() }),
    },
  ];
}

function fill(template: string, word: string): string {
  return template.replace("{}", word);
}
