/** @file A thought that a picture was drawn from, as its recipe holds it. */
import { InputError } from "../errors.ts";
import { isJsonObject } from "../formats/json-file.ts";
import { isWholeNumber } from "../formats/json-value.ts";
import { thoughtMarkers } from "../sequence/thought-markers.ts";
import type { TextTokenizer } from "../sequence/tokenizer.ts";
import { MAX_THOUGHT_TOKENS } from "./think-options.ts";
import type { FinishReason } from "./written-text.ts";

export interface Thought {
  /** What the model wrote, its markers included. */
  readonly text: string;
  /** The same as it was written: one text can be written in several ways, and a cut one may end within a character. */
  readonly ids: readonly number[];
  /** `stop`: the model ended it; `length`: it was cut at the limit, and closed. */
  readonly finishReason: FinishReason;
}

const MAX_ID = 2 ** 31 - 1;
/** Far longer than any token. */
const MAX_CHARACTERS = 128 * MAX_THOUGHT_TOKENS;

/** Whether a JSON value is one. */
export function isThought(value: unknown): value is Thought {
  if (!isJsonObject(value)) return false;
  const { text, ids, finishReason } = value;
  return (
    typeof text === "string" &&
    text.length <= MAX_CHARACTERS &&
    Array.isArray(ids) &&
    ids.length > 0 &&
    ids.length <= MAX_THOUGHT_TOKENS + 1 &&
    ids.every((id) => isWholeNumber(id, 0, MAX_ID)) &&
    (finishReason === "stop" || finishReason === "length")
  );
}

/**
 * The ids of a thought in a model's own vocabulary: as they were written, or, where they do not say the text there, those
 * of the text.
 * @throws InputError where tokens stand in it that have no place in a text.
 */
export function thoughtIds(tokenizer: TextTokenizer, { text, ids }: Thought): readonly number[] {
  const own = tokenizer.decode(ids) === text ? ids : tokenizer.encode(text);
  const banned = foreignIds(tokenizer);
  const wrong = own.find((id) => id >= tokenizer.size || banned.has(id));
  if (wrong === undefined && own.length > 0) return own;
  throw new InputError(
    wrong === undefined ? "the thought is empty" : `token ${wrong} has no place in a thought`,
    { where: "recipe", remedy: "the recipe was changed, or is of another kind of model" },
  );
}

/** Ids that no thought holds: what sequences are built of, apart from the markers. */
export function foreignIds(tokenizer: TextTokenizer): ReadonlySet<number> {
  const markers = thoughtMarkers(tokenizer).flatMap(({ begin, end }) => [begin, end]);
  const ids = Object.values(tokenizer.specials).filter((id): id is number => id !== null);
  return new Set(ids.filter((id) => !markers.includes(id)));
}
