/** @file Text from the same model: one token after another behind a prompt, which may hold images (docs/nextstep-spec.md 3.8). */
import { AbortedError } from "../errors.ts";
import type { TextTokenizer } from "../sequence/tokenizer.ts";
import { CounterRng } from "../tensor/counter-rng.ts";
import { CachedRows } from "./cached-rows.ts";
import type { TokenRow } from "./token-feeds.ts";
import { checkTextSampling, chooseToken, type TextSampling } from "./choose-token.ts";
import type { ModelSessions } from "./model-sessions.ts";

export interface TextRequest extends TextSampling {
  readonly row: TokenRow;
  readonly maxTokens: number;
  /** Ids that end the text; they are not part of it. */
  readonly stop: ReadonlySet<number>;
  /** Seed of the draws. */
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

export interface TextStep {
  readonly id: number;
  /** Before the choice. [vocabulary] */
  readonly logits: Float32Array;
}

/**
 * Writes token by token until a stop id or the limit.
 * @throws ConfigError for sampling settings out of range, AbortedError between tokens.
 */
export async function* writeTokens(sessions: ModelSessions, request: TextRequest): AsyncGenerator<TextStep> {
  checkTextSampling(request);
  const { config } = sessions.folder;
  const [backbone, head] = await Promise.all([sessions.backbone(), sessions.lmHead()]);
  await using cached = new CachedRows(sessions.engine, backbone, config, 1);
  const random = new CounterRng(request.seed);
  let next = request.row;
  for (let count = 0; count < request.maxTokens; count++) {
    if (request.signal?.aborted) throw new AbortedError("cancelled", { cause: request.signal.reason });
    const hidden = await cached.append([next]);
    const result = await head.run({
      hidden: { dtype: "float32", shape: [1, config.hiddenSize], data: hidden },
    });
    const logits = result.logits?.data as Float32Array;
    const id = chooseToken(logits, request, random.uniform());
    if (request.stop.has(id)) return;
    yield { id, logits };
    next = { ids: [id] };
  }
}

/**
 * The text of ids that arrive one by one, in pieces that can be printed as they come: a character whose bytes are not
 * all there yet is held back until it is whole or the text ends.
 */
export async function* textPieces(
  tokenizer: TextTokenizer,
  steps: AsyncIterable<TextStep>,
): AsyncGenerator<string> {
  const ids: number[] = [];
  let printed = 0;
  let text = "";
  for await (const { id } of steps) {
    ids.push(id);
    text = tokenizer.decode(ids, { skipSpecial: true });
    const whole = text.replace(/\uFFFD+$/, "").length;
    if (whole > printed) {
      yield text.slice(printed, whole);
      printed = whole;
    }
  }
  if (text.length > printed) yield text.slice(printed);
}
