/**
 * @file The parts of tokenizer.json around the vocabulary, as Qwen2 has them (docs/nextstep-spec.md 1.4). Others are
 * refused by name: a foreign pattern can take a regular expression engine ages on forty letters, and a foreign rule
 * gives ids that the model was not trained with.
 */

import { ModelFormatError, UnsupportedError } from "../errors.ts";
import { isJsonObject, type JsonObject } from "../formats/json-file.ts";
import { quoted } from "../formats/quoted.ts";
import { QWEN2_SPLIT_PATTERN, type TokenizerJson } from "./tokenizer-json.ts";

const where = "tokenizer.json";

/**
 * Passes a tokenizer whose text rules are Qwen2's.
 * Throws UnsupportedError naming the part that is not.
 */
export function checkPipeline(json: TokenizerJson): TokenizerJson {
  const { normalizer, pre_tokenizer: words, post_processor: template } = json;
  if (normalizer !== null && normalizer.type !== "NFC") throw foreign("normalizer", normalizer.type);
  if (words?.type !== "Sequence") throw foreign("pre_tokenizer", words?.type);
  const steps = Array.isArray(words.pretokenizers) ? (words.pretokenizers as unknown[]) : [];
  const [split, bytes, ...rest] = steps;
  if (!isJsonObject(split) || split.type !== "Split") throw foreign("first pre-tokenizer", typeOf(split));
  const { pattern } = split;
  if (!isJsonObject(pattern) || pattern.Regex !== QWEN2_SPLIT_PATTERN) {
    throw foreign("split pattern", isJsonObject(pattern) ? (pattern.Regex ?? pattern.String) : pattern);
  }
  if (split.behavior !== "Isolated" || split.invert === true) {
    throw foreign("split behavior", split.invert === true ? "inverted" : split.behavior);
  }
  if (!isJsonObject(bytes) || bytes.type !== "ByteLevel")
    throw foreign("second pre-tokenizer", typeOf(bytes));
  // The library's default would cut words a second time, by the rules of an older model.
  if (bytes.use_regex !== false) throw foreign("pre_tokenizer.use_regex", bytes.use_regex);
  if (rest.length > 0) throw foreign("third pre-tokenizer", typeOf(rest[0]));
  if (bytes.add_prefix_space === true) throw foreign("pre_tokenizer.add_prefix_space", true);
  if (template !== null) checkTemplate(template, json);
  return json;
}

/** What is put around a text: nothing, or tokens that the tokenizer has. */
function checkTemplate(template: JsonObject, { added_tokens: added, model }: TokenizerJson): void {
  if (template.type === "ByteLevel") return;
  if (template.type !== "TemplateProcessing") throw foreign("post_processor", template.type);
  const parts: readonly unknown[] = Array.isArray(template.single) ? template.single : [];
  const texts = parts.filter(
    (part) => isJsonObject(part) && isJsonObject(part.Sequence) && part.Sequence.id === "A",
  );
  if (texts.length !== 1) {
    throw new ModelFormatError("post_processor.single does not have the text in it once", { where });
  }
  for (const part of parts) {
    if (part === texts[0]) continue;
    const id = isJsonObject(part) && isJsonObject(part.SpecialToken) ? part.SpecialToken.id : undefined;
    const known =
      typeof id === "string" &&
      (Object.hasOwn(model.vocab, id) || added.some(({ content }) => content === id));
    if (!known)
      throw new ModelFormatError("post_processor.single has something other than tokens", { where });
  }
}

function isScalar(value: unknown): boolean {
  return typeof value === "string" || typeof value === "boolean" || typeof value === "number";
}

function typeOf(part: unknown): unknown {
  return isJsonObject(part) ? part.type : part;
}

function foreign(part: string, found: unknown): UnsupportedError {
  const shown =
    found === undefined || found === null
      ? "none"
      : quoted(isScalar(found) ? String(found) : "of no known form");
  return new UnsupportedError(`its ${part} is ${shown}, not Qwen2's`, {
    where,
    remedy: "use the tokenizer files of a Qwen2 style model",
  });
}
