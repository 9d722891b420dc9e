/** @file A recipe in lines for people, and the lines in which two differ. */
import type { Entry, Settings } from "../api/answers.ts";
import { ownSettings } from "./draw-order.ts";
import { parseSize, shownSize, sizeText } from "./grid.ts";
import { moment } from "./time-left.ts";

export interface RecipeLine {
  readonly name: string;
  readonly value: string;
}

/** Settings by the names that the page's fields have. */
const NAMES: Readonly<Record<string, string>> = { cfg: "guidance", negative: "away from", positive: "added" };

/** Size, seed, settings that are not the model's own, and when it was drawn. */
export function recipeLines(entry: Entry, defaults: Settings): readonly RecipeLine[] {
  const native =
    entry.native_size === sizeText(entry) ? "" : `, drawn at ${shownSize(parseSize(entry.native_size))}`;
  return [
    { name: "size", value: `${shownSize(entry)}${native}` },
    { name: "seed", value: String(entry.seed) },
    ...Object.entries(ownSettings(entry.settings, defaults)).map(([name, value]) => ({
      name: NAMES[name] ?? name,
      value: value === "" || value === null ? "none" : String(value),
    })),
    ...adapterLines(entry),
    { name: "drawn", value: moment(entry.created) },
  ];
}

function adapterLines({ recipe }: Entry): readonly RecipeLine[] {
  const texts = (recipe.adapters ?? []).map(({ name, scale }) => (scale === 1 ? name : `${name} × ${scale}`));
  return texts.length === 0 ? [] : [{ name: "adapters", value: texts.join(", ") }];
}

export interface Difference {
  readonly name: string;
  readonly first: string;
  readonly second: string;
}

/** What differs between two recipes; nothing of when they were drawn. */
export function differences(first: Entry, second: Entry): readonly Difference[] {
  const linesOf = (entry: Entry): ReadonlyMap<string, string> =>
    new Map([
      ["prompt", entry.prompt],
      ["size", shownSize(entry)],
      ["seed", String(entry.seed)],
      ["model", entry.recipe.model ?? ""],
      ...adapterLines(entry).map(({ name, value }) => [name, value] as const),
      ...Object.entries(entry.settings).map(
        ([name, value]) => [NAMES[name] ?? name, String(value ?? "")] as const,
      ),
    ]);
  const [a, b] = [linesOf(first), linesOf(second)];
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((name) => {
    const [one, other] = [a.get(name) ?? "", b.get(name) ?? ""];
    return one === other ? [] : [{ name, first: one || "none", second: other || "none" }];
  });
}
