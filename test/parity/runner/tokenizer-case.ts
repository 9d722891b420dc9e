/** @file Kind `tokenizer`: ids and texts of a model's tokenizer, exactly (docs/nextstep-spec.md 1.4). */
import { z } from "zod";
import type { CaseCheck } from "./case-check.ts";
import { type ParityCase, parseFields } from "./parity-case.ts";
import type { ParityContext } from "./parity-context.ts";

const fields = z.looseObject({
  sets: z.array(
    z.looseObject({
      model: z.string(),
      bos_token: z.string().nullable().optional(),
      eos_token_id: z.int().optional(),
      pad_token_id: z.int().optional(),
      length: z.int().optional(),
      added: z.record(z.string(), z.int()).optional(),
      rows: z.array(
        z.looseObject({
          text: z.string(),
          ids: z.array(z.int()),
          decoded: z.string().optional(),
          decoded_skip_special: z.string().optional(),
        }),
      ),
    }),
  ),
});

export async function runTokenizerCase(
  test: ParityCase,
  check: CaseCheck,
  context: ParityContext,
): Promise<void> {
  const { sets } = parseFields(fields, test.json, test.name);
  for (const set of sets) {
    const tokenizer = await context.tokenizer(set.model);
    const label = (name: string): string => `${set.model} ${name}`;
    if (set.bos_token !== undefined) check.equal(label("bos_token"), tokenizer.bosToken, set.bos_token);
    if (set.eos_token_id !== undefined) check.equal(label("eos"), tokenizer.specials.eos, set.eos_token_id);
    if (set.pad_token_id !== undefined) check.equal(label("pad"), tokenizer.specials.pad, set.pad_token_id);
    if (set.length !== undefined) check.equal(label("length"), tokenizer.size, set.length);
    for (const [token, id] of Object.entries(set.added ?? {})) {
      check.equal(label(token), tokenizer.idOf(token), id);
    }
    for (const [index, row] of set.rows.entries()) {
      check.equal(label(`ids ${index}`), tokenizer.encode(row.text, { special: true }), row.ids);
      if (row.decoded !== undefined) {
        check.equal(label(`decoded ${index}`), tokenizer.decode(row.ids), row.decoded);
      }
      if (row.decoded_skip_special !== undefined) {
        const plain = tokenizer.decode(row.ids, { skipSpecial: true });
        check.equal(label(`decoded ${index} without specials`), plain, row.decoded_skip_special);
      }
    }
  }
}
