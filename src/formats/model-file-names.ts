/** @file Names of the files that published model folders are made of (docs/nextstep-spec.md 1.2). */

/** Weights of an autoencoder by preference: the published one, then what converters write. */
export const AUTOENCODER_FILES = [
  "checkpoint.pt",
  "checkpoint.safetensors",
  "model.safetensors",
  "diffusion_pytorch_model.safetensors",
] as const;

/** Files that a tokenizer may be made of; what else lies in a folder is not copied. */
export const TOKENIZER_FILES = [
  "added_tokens.json",
  "chat_template.jinja",
  "generation_config.json",
  "merges.txt",
  "special_tokens_map.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "vocab.json",
] as const;
