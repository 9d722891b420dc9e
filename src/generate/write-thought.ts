/**
 * @file Thinking before drawing: the model goes on behind a prompt between its own markers (docs/architecture.md, "The
 * model says what it will draw").
 */
import { InputError, UnsupportedError } from "../errors.ts";
import { type ThoughtKind, type ThoughtMarkers, thoughtMarkers } from "../sequence/thought-markers.ts";
import type { TextTokenizer } from "../sequence/tokenizer.ts";
import type { ModelSessions } from "./model-sessions.ts";
import type { ThinkOptions } from "./think-options.ts";
import { foreignIds, type Thought } from "./thought.ts";
import type { TokenRow } from "./token-feeds.ts";
import { TextPieces, writeTokens } from "./write-text.ts";

/** Text of a thought as it comes, without markers. */
export interface ThoughtPiece {
  readonly kind: ThoughtKind;
  readonly text: string;
}

export interface ThoughtRequest extends Required<ThinkOptions> {
  /** The prompt, up to where the picture would be announced. */
  readonly row: TokenRow;
  /** Of the draws; counts above temperature 0. */
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** @throws UnsupportedError naming the markers for a model whose vocabulary has none. */
export function markersOf(tokenizer: TextTokenizer, model: string): readonly ThoughtMarkers[] {
  const markers = thoughtMarkers(tokenizer);
  if (markers.length > 0) return markers;
  throw new UnsupportedError("does not know how to think: its vocabulary has no <|begin_of_thinking|>", {
    where: model,
    remedy: "draw without thinking, or with a model that was trained for it",
  });
}

/**
 * Writes a thought behind a prompt and returns it; undefined if the model had nothing to say. The model opens with the
 * marker that it finds likelier and writes until it closes it; behind one part it may open one of the other kind. Whatever
 * else is no text ends the thought: the end of the text, a token that belongs to a picture, an id without a token. A part
 * that is open then, or at the limit, is closed.
 * @throws what {@link writeTokens} does; InputError for a prompt without any token.
 */
export async function* writeThought(
  sessions: ModelSessions,
  tokenizer: TextTokenizer,
  request: ThoughtRequest,
): AsyncGenerator<ThoughtPiece, Thought | undefined> {
  if (request.row.ids.length === 0) {
    throw new InputError("is empty", { where: "prompt", remedy: "give some text to think about" });
  }
  const markers = markersOf(tokenizer, sessions.folder.path);
  const begins = markers.map(({ begin }) => begin);
  const steps = writeTokens(sessions, { ...request, stop: foreignIds(tokenizer), first: begins });
  const marks = new Set(markers.flatMap(({ begin, end }) => [begin, end]));
  const ids: number[] = [];
  let unused = markers;
  let part: { readonly markers: ThoughtMarkers; readonly pieces: TextPieces } | undefined;
  let cut = false;
  try {
    while (part !== undefined || unused.length > 0) {
      const step = await steps.next();
      if (step.done === true) {
        cut = step.value === "length";
        break;
      }
      const { id } = step.value;
      if (part === undefined) {
        const begun = unused.find(({ begin }) => begin === id);
        if (begun === undefined) break;
        part = { markers: begun, pieces: new TextPieces(tokenizer) };
        unused = unused.filter((other) => other !== begun);
      } else if (id === part.markers.end) {
        yield* piecesOf(part.markers, part.pieces.rest());
        part = undefined;
      } else if (marks.has(id) || id >= tokenizer.size) break;
      else yield* piecesOf(part.markers, part.pieces.next(id));
      ids.push(id);
    }
  } finally {
    await steps.return(undefined);
  }
  if (part !== undefined) {
    yield* piecesOf(part.markers, part.pieces.rest());
    ids.push(part.markers.end);
  }
  if (tokenizer.decode(ids, { skipSpecial: true }).trim() === "") return undefined;
  return { text: tokenizer.decode(ids), ids, finishReason: cut && part !== undefined ? "length" : "stop" };
}

function* piecesOf({ kind }: ThoughtMarkers, text: string): Generator<ThoughtPiece> {
  if (text !== "") yield { kind, text };
}
