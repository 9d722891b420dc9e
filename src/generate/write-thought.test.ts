import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeThinkingModel } from "../../test/support/thinking-model.ts";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { AbortedError, InputError, UnsupportedError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { LocalEngine } from "../runtime/node/local-engine.ts";
import { loadTokenizer, type TextTokenizer } from "../sequence/tokenizer.ts";
import { ModelSessions } from "./model-sessions.ts";
import { type ThoughtPiece, type ThoughtRequest, writeThought } from "./write-thought.ts";

const [THINK, THOUGHT] = ["<|begin_of_thinking|>", "<|end_of_thinking|>"];
const [REFINE, REFINED] = ["<|begin_of_prompt_refinement|>", "<|end_of_prompt_refinement|>"];
const AREA = "<|image_area|>";

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "nextstep-thought-"));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** What a model whose tokens follow that chain thinks of a prompt, and the pieces on the way. */
async function thinks(
  chain: readonly string[],
  change: Partial<ThoughtRequest> = {},
  known: (tokenizer: TextTokenizer) => TextTokenizer = (tokenizer) => tokenizer,
) {
  const path = join(scratch, `model-${Math.random()}`);
  await writeThinkingModel(path, chain);
  const folder = await openModelFolder(new LocalFolder(path));
  const engine = new LocalEngine({ threads: 1 });
  try {
    const tokenizer = known(await loadTokenizer(folder.files));
    const pieces: ThoughtPiece[] = [];
    const writing = writeThought(new ModelSessions(engine, folder), tokenizer, {
      row: { ids: tokenizer.encode("rain") },
      maxTokens: 12,
      temperature: 0,
      seed: 0,
      ...change,
    });
    let step = await writing.next();
    for (; step.done !== true; step = await writing.next()) pieces.push(step.value);
    return { thought: step.value, pieces, tokenizer };
  } finally {
    await engine[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  }
}

/** Pieces of one kind joined. */
const said = (pieces: readonly ThoughtPiece[], kind: string): string =>
  pieces
    .filter((piece) => piece.kind === kind)
    .map(({ text }) => text)
    .join("");

describe("writeThought", () => {
  it("opens with a marker, writes, and closes it as the model does", async () => {
    const { thought, pieces, tokenizer } = await thinks([THINK, "w", "e", "t", THOUGHT, AREA]);
    expect(thought).toEqual({
      text: `${THINK}wet${THOUGHT}`,
      ids: tokenizer.encode(`${THINK}w`).concat(tokenizer.encode("e"), tokenizer.encode(`t${THOUGHT}`)),
      finishReason: "stop",
    });
    expect(pieces).toEqual(["w", "e", "t"].map((text) => ({ kind: "thinking", text })));
  });

  it("goes on to the prompt in the model's own words, or begins with it", async () => {
    const both = await thinks([THINK, "w", THOUGHT, REFINE, "e", "t", REFINED, AREA]);
    expect(both.thought?.text).toBe(`${THINK}w${THOUGHT}${REFINE}et${REFINED}`);
    expect([said(both.pieces, "thinking"), said(both.pieces, "refinement")]).toEqual(["w", "et"]);
    const one = await thinks([REFINE, "w", "e", REFINED, AREA]);
    expect(one.thought?.text).toBe(`${REFINE}we${REFINED}`);
  });

  it("closes what is open when the model goes on to the picture, or ends", async () => {
    for (const end of [AREA, "<|begin_of_image|>", "<|endoftext|>", "<|image_placeholder|>", REFINED]) {
      const { thought } = await thinks([THINK, "w", "e", end]);
      expect(thought, end).toMatchObject({ text: `${THINK}we${THOUGHT}`, finishReason: "stop" });
    }
  });

  it("is cut at the limit, closed, and says so", async () => {
    const { thought, pieces } = await thinks([THINK, "w", "e", "w"], { maxTokens: 6 });
    expect(thought).toMatchObject({ text: `${THINK}wewew${THOUGHT}`, finishReason: "length" });
    expect(thought?.ids).toHaveLength(7);
    expect(said(pieces, "thinking")).toBe("wewew");
    // At its limit, but whole.
    const whole = await thinks([THINK, "w", THOUGHT, AREA], { maxTokens: 3 });
    expect(whole.thought).toMatchObject({ text: `${THINK}w${THOUGHT}`, finishReason: "stop" });
  });

  it("is nothing where the model says nothing", async () => {
    expect((await thinks([THINK, THOUGHT, AREA])).thought).toBeUndefined();
    expect((await thinks([THINK, AREA])).thought).toBeUndefined();
  });

  it("opens with the marker that the vocabulary has", async () => {
    const without = (tokenizer: TextTokenizer): TextTokenizer => ({
      specials: tokenizer.specials,
      size: tokenizer.size,
      longestToken: tokenizer.longestToken,
      bosToken: tokenizer.bosToken,
      encode: (text, options) => tokenizer.encode(text, options),
      decode: (ids, options) => tokenizer.decode(ids, options),
      idOf: (token) => (token.includes("thinking") ? null : tokenizer.idOf(token)),
    });
    // The model would rather think.
    const { thought } = await thinks([THINK, "w", REFINE, "e", REFINED, AREA], {}, without);
    expect(thought?.text).toBe(`${REFINE}e${REFINED}`);
    const neither = (tokenizer: TextTokenizer): TextTokenizer => ({
      ...without(tokenizer),
      idOf: () => null,
    });
    await expect(thinks([THINK, "w", AREA], {}, neither)).rejects.toThrow(UnsupportedError);
  });

  it("is drawn by its seed above temperature 0", async () => {
    const hot = (seed: number) => thinks([THINK, "w", "e", "t", THOUGHT, AREA], { temperature: 100, seed });
    const [first, again, other] = [await hot(1), await hot(1), await hot(2)];
    expect(again.thought).toEqual(first.thought);
    expect(other.thought).not.toEqual(first.thought);
  });

  it("refuses a prompt of nothing, and stops when cancelled", async () => {
    await expect(thinks([THINK, "w", AREA], { row: { ids: [] } })).rejects.toThrow(InputError);
    const aborted = thinks([THINK, "w", "e", "w"], { signal: AbortSignal.abort() });
    await expect(aborted).rejects.toThrow(AbortedError);
  });
});
