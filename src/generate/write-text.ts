/** @file Text from the same model: one token after another behind a prompt, which may hold images (docs/nextstep-spec.md 3.8). */
import { EngineError, refuseAborted } from "../errors.ts";
import type { TextTokenizer } from "../sequence/tokenizer.ts";
import { CounterRng } from "../tensor/counter-rng.ts";
import { promptly, untilAborted } from "./abort.ts";
import { checkTextSampling, chooseToken, type TextSampling } from "./choose-token.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { checkPositions } from "./position-limit.ts";
import type { TokenRow } from "./token-feeds.ts";
import type { FinishReason, TextSource } from "./written-text.ts";

export interface TextRequest extends TextSampling {
  readonly row: TokenRow;
  readonly maxTokens: number;
  /** Ids that end the text; they are not part of it. */
  readonly stop: ReadonlySet<number>;
  /** Ids among which the first token is chosen. Default: all. */
  readonly first?: readonly number[];
  /** Seed of the draws. */
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

export interface TextStep {
  readonly id: number;
  /** Before the choice. [vocabulary] */
  readonly logits: Float32Array;
}

/** Steps and, as its return value, why they ended; undefined when they are ended from outside. */
export type TokenSource = AsyncGenerator<TextStep, FinishReason | undefined>;

/**
 * Writes token by token until a stop id or the limit, and returns which of them it was.
 * @throws ConfigError for sampling settings out of range; InputError for a prompt beyond the model's positions, before
 * weights are read; AbortedError while loading, between runs of the prompt and between tokens; EngineError where logits are
 * not finite.
 */
export async function* writeTokens(sessions: ModelSessions, request: TextRequest): TokenSource {
  checkTextSampling(request);
  const { config } = sessions.folder;
  checkPositions([request.row], request.maxTokens, config, "prompt");
  const signal = sessions.signal(request.signal);
  const [cached, head] = await Promise.all([sessions.cachedRows(1, signal), sessions.lmHead(signal)]);
  await using _cached = promptly(cached, signal);
  const random = new CounterRng(request.seed);
  let next = request.row;
  for (let count = 0; count < request.maxTokens; count++) {
    refuseAborted(signal);
    const hidden = await untilAborted(cached.append([next], { signal }), signal);
    const fed = { dtype: "float32", shape: [1, config.hiddenSize], data: hidden } as const;
    const result = await untilAborted(head.run({ hidden: fed }), signal);
    const logits = result.logits?.data as Float32Array;
    if (!logits.every(Number.isFinite)) {
      throw new EngineError(`the logits of token ${count + 1} are not finite`, {
        where: "text",
        remedy: "the model's weights are damaged",
      });
    }
    const { first } = request;
    const open = count === 0 && first !== undefined ? among(logits, first) : logits;
    const id = chooseToken(open, request, random.uniform());
    if (request.stop.has(id)) return "stop";
    yield { id, logits };
    next = { ids: [id], adapters: request.row.adapters };
  }
  return "length";
}

/** Logits of which only some can be chosen. */
function among(logits: Float32Array, ids: readonly number[]): Float32Array {
  const open = new Float32Array(logits.length).fill(Number.NEGATIVE_INFINITY);
  for (const id of ids) open[id] = logits[id] ?? Number.NEGATIVE_INFINITY;
  return open;
}

/**
 * The text of ids that arrive one by one, in pieces that can be printed as they come: a character whose bytes are not
 * all there yet is held back until it is whole or the text ends. Special tokens are left out.
 */
export class TextPieces {
  readonly #tokenizer: TextTokenizer;
  readonly #ids: number[] = [];
  #printed = 0;
  #text = "";

  constructor(tokenizer: TextTokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** What can be printed once this id is there; may be nothing. */
  next(id: number): string {
    this.#ids.push(id);
    this.#text = this.#tokenizer.decode(this.#ids, { skipSpecial: true });
    return this.#until(this.#text.replace(/\uFFFD+$/, "").length);
  }

  /** What was held back, at the end. */
  rest(): string {
    return this.#until(this.#text.length);
  }

  #until(end: number): string {
    const piece = this.#text.slice(this.#printed, end);
    this.#printed = Math.max(this.#printed, end);
    return piece;
  }
}

/** The text of ids as {@link TextPieces}. Ends with the reason for which the ids do. */
export async function* textPieces(tokenizer: TextTokenizer, steps: TokenSource): TextSource {
  const pieces = new TextPieces(tokenizer);
  try {
    let step = await steps.next();
    for (; step.done !== true; step = await steps.next()) {
      const piece = pieces.next(step.value.id);
      if (piece !== "") yield piece;
    }
    const rest = pieces.rest();
    if (rest !== "") yield rest;
    return step.value;
  } finally {
    await steps.return(undefined);
  }
}
