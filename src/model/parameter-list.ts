/** @file The complete lists of weights, read off the graphs themselves. */
import { input } from "../graph/value.ts";
import { decodeLatents, encodePixels } from "./autoencoder.ts";
import { type AutoencoderConfig, pixelsPerLatent } from "./autoencoder-config.ts";
import { backbone, embedTokens, imageIn, imageOut, lmHead } from "./backbone.ts";
import { type NextStepConfig, tokenWidth } from "./config.ts";
import { flowHead } from "./flow-head.ts";
import { ParameterScope, type ParameterSpec } from "./parameter-scope.ts";

/** Every weight of a model in the order of use; names as in published checkpoints (docs/nextstep-spec.md 1.5). */
export function modelParameters(config: NextStepConfig): ParameterSpec[] {
  const scope = new ParameterScope();
  const half = config.headDim / 2;
  const { hidden } = backbone(scope, config, {
    embeds: embedTokens(scope, config, input("ids", "int64", ["rows", "tokens"])),
    positions: input("positions", "int64", ["rows", "tokens"]),
    cosines: input("cosines", "float32", ["positions", half]),
    sines: input("sines", "float32", ["positions", half]),
    mask: input("mask", "float32", ["rows", 1, "tokens", "tokens"]),
  });
  lmHead(scope, config, hidden);
  const tokens = input("tokens", "float32", ["count", tokenWidth(config)]);
  const condition = imageOut(scope, config, imageIn(scope, config, tokens));
  flowHead(scope, config, tokens, input("t", "float32", ["count"]), condition);
  return scope.list;
}

/** Every weight of an autoencoder: encoder, then decoder. */
export function autoencoderParameters(config: AutoencoderConfig): ParameterSpec[] {
  const scope = new ParameterScope();
  const patch = config.patchSize ?? 1;
  const side = (name: string) => `${pixelsPerLatent(config) * patch}*${name}`;
  const pixels = input("pixels", "float32", ["pictures", config.inChannels, side("height"), side("width")]);
  decodeLatents(scope, config, encodePixels(scope, config, pixels).mean);
  return scope.list;
}
