/** @file Kind `text`: greedy text generation, every logit of it (docs/nextstep-spec.md 3.8). */
import { z } from "zod";
import { writeTokens } from "../../../src/generate/write-text.ts";
import type { CaseCheck } from "./case-check.ts";
import { type ParityCase, parseFields } from "./parity-case.ts";
import type { ParityContext } from "./parity-context.ts";

const ids = z.array(z.int());
const fields = z.looseObject({
  prompt: z.string(),
  prompt_ids: ids.optional(),
  new_ids: ids,
  text: z.string().optional(),
});

export async function runTextCase(test: ParityCase, check: CaseCheck, context: ParityContext): Promise<void> {
  const expected = parseFields(fields, test.json, test.name);
  const sessions = await context.sessions(test.model);
  const tokenizer = await context.tokenizer(test.model);
  const promptIds = tokenizer.encode(expected.prompt, { special: true });
  if (expected.prompt_ids !== undefined) check.equal("prompt_ids", promptIds, expected.prompt_ids);
  const written: number[] = [];
  const logits: Float32Array[] = [];
  // The goldens do not stop at any id.
  const request = {
    row: { ids: promptIds },
    maxTokens: expected.new_ids.length,
    stop: new Set<number>(),
    seed: 0,
  };
  for await (const step of writeTokens(sessions, request)) {
    written.push(step.id);
    logits.push(step.logits);
  }
  check.equal("new_ids", written, expected.new_ids);
  const vocabulary = sessions.folder.config.vocabSize;
  const data = new Float32Array(logits.length * vocabulary);
  logits.forEach((values, i) => {
    data.set(values, i * vocabulary);
  });
  await check.compare("logits", { shape: [logits.length, vocabulary], data });
  // As the tokenizer decodes by default: with whatever special tokens a random model wrote.
  if (expected.text !== undefined) check.equal("text", tokenizer.decode(written), expected.text);
}
