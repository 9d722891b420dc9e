/** @file The thoughts of a drawing: written before its pictures, each put into the prompt of its picture. */
import { type Prompt, withThought } from "../sequence/prompt.ts";
import type { TextTokenizer } from "../sequence/tokenizer.ts";
import type { PlanWatch } from "./drawing.ts";
import type { DrawingNote } from "./drawing-notes.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { checkPositions } from "./position-limit.ts";
import type { ThinkOptions } from "./think-options.ts";
import { type Thought, thoughtIds } from "./thought.ts";
import type { TokenRow } from "./token-feeds.ts";
import type { TrainedOn } from "./trained-on.ts";
import { markersOf, writeThought } from "./write-thought.ts";

/** Who thinks. */
export interface Thinker {
  readonly sessions: ModelSessions;
  readonly tokenizer: TextTokenizer;
}

/** A picture that is to be thought about. */
export interface ThoughtAbout {
  /** Of its prompt without a thought; the first is the condition. */
  readonly rows: readonly TokenRow[];
  /** How many ids at the end of a row announce the picture. */
  readonly announced: number;
  readonly seed: number;
}

/**
 * Before anything is loaded.
 * @throws UnsupportedError for a model whose vocabulary has no markers; InputError where prompt, thought and picture may
 * not fit into the model's positions together.
 */
export function checkThinking(
  { sessions: { folder }, tokenizer }: Thinker,
  prompts: readonly Prompt[],
  { maxTokens }: Required<ThinkOptions>,
): void {
  markersOf(tokenizer, folder.path);
  for (const prompt of prompts) {
    const [rows, columns] = prompt.grid;
    // One that is cut has its end marker beyond the limit.
    checkPositions(
      prompt.rows.slice(0, prompt.pictures),
      rows * columns,
      folder.config,
      "think",
      maxTokens + 1,
    );
  }
}

/**
 * One thought a picture, undefined where the model had nothing to say. At temperature 0, pictures of one prompt share
 * theirs; else each depends on its picture's seed alone, so that the picture comes out the same by itself.
 */
export async function thinkOf(
  { sessions, tokenizer }: Thinker,
  pictures: readonly ThoughtAbout[],
  { watch, ...think }: Required<ThinkOptions> & { readonly watch: PlanWatch | undefined },
): Promise<readonly (Thought | undefined)[]> {
  const written = new Map<TokenRow, Map<number, Thought | undefined>>();
  const thoughts: (Thought | undefined)[] = [];
  for (const [picture, { rows, announced, seed }] of pictures.entries()) {
    const condition = rows[0] as TokenRow;
    const known = written.get(condition) ?? new Map<number, Thought | undefined>();
    written.set(condition, known);
    const drawn = think.temperature === 0 ? 0 : seed;
    if (!known.has(drawn)) {
      const row = { ...condition, ids: condition.ids.slice(0, -announced) };
      const writing = writeThought(sessions, tokenizer, {
        ...think,
        row,
        seed: drawn,
        signal: watch?.signal,
      });
      let step = await writing.next();
      for (; step.done !== true; step = await writing.next()) watch?.onThought({ picture, ...step.value });
      known.set(drawn, step.value);
    }
    thoughts.push(known.get(drawn));
  }
  return thoughts;
}

/**
 * The prompt as a picture is drawn from it with a thought.
 * @throws InputError for a thought that has tokens of no text, or that does not fit into the model's positions.
 */
export function promptWith(
  { sessions: { folder }, tokenizer }: Thinker,
  plain: Prompt,
  thought: Thought | undefined,
): Prompt {
  if (thought === undefined) return plain;
  const prompt = withThought(tokenizer, plain, thoughtIds(tokenizer, thought));
  const [rows, columns] = prompt.grid;
  checkPositions(prompt.rows, rows * columns, folder.config, "thought");
  return prompt;
}

/** What should be known of a picture that was to be thought about. */
export function thoughtNotes(thought: Thought | undefined, { words }: TrainedOn): readonly DrawingNote[] {
  const note = (text: string): DrawingNote => ({ kind: "thought", text });
  const trained =
    words === undefined
      ? []
      : [
          note(
            "the model was trained on captions and not to think: do not expect its thoughts to make sense",
          ),
        ];
  if (thought === undefined) {
    return [...trained, note("the model had nothing to say; the picture is drawn from the prompt alone")];
  }
  if (thought.finishReason === "stop") return trained;
  const cut = `the thought was cut after ${thought.ids.length - 1} tokens; the picture is drawn from what there is, and more tokens would let it end`;
  return [...trained, note(cut)];
}
