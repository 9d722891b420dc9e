/**
 * @file The autoencoder as passes over a picture. Each ends where the next group normalisation must have seen all of the
 * picture before it, so that within a pass a picture may be computed in bands of rows.
 */
import type { AutoencoderConfig } from "./autoencoder-config.ts";

/** One pass; `name` is that of its layers in the checkpoint. */
export interface AutoencoderPass {
  /**
   * - `conv`: a 3 x 3 convolution; `upsample` and `downsample`: one with twice and half the size
   * - `open`: the first half of a residual block, with its shortcut where channels change; `close`: its second half
   * - `keys`: keys and values of the attention; `attend`: the rest of it
   * - `end`: normalisation, swish and the last convolution
   */
  readonly kind: "conv" | "upsample" | "downsample" | "open" | "close" | "keys" | "attend" | "end";
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
}

/** The halves of a residual block. */
function block(name: string, inputs: number, outputs: number): AutoencoderPass[] {
  return [
    { kind: "open", name, inputs, outputs },
    { kind: "close", name, inputs: outputs, outputs },
  ];
}

function middle(name: string, channels: number): AutoencoderPass[] {
  const sizes = { inputs: channels, outputs: channels };
  return [
    ...block(`${name}.block_1`, channels, channels),
    { kind: "keys", name: `${name}.attn_1`, inputs: channels, outputs: 2 * channels },
    { kind: "attend", name: `${name}.attn_1`, ...sizes },
    ...block(`${name}.block_2`, channels, channels),
  ];
}

/**
 * Pixels, their blocks as channels where the configuration has such, to the moments of the posterior, mean first, not
 * normalised.
 */
export function encoderPasses(config: AutoencoderConfig): AutoencoderPass[] {
  const { channels, multipliers, blocks, inChannels, latentChannels, pixelShuffle } = config;
  const passes: AutoencoderPass[] = [
    { kind: "conv", name: "encoder.conv_in", inputs: inChannels * pixelShuffle ** 2, outputs: channels },
  ];
  let inputs = channels;
  multipliers.forEach((multiplier, level) => {
    const outputs = channels * multiplier;
    for (let index = 0; index < blocks; index++) {
      passes.push(...block(`encoder.down.${level}.block.${index}`, inputs, outputs));
      inputs = outputs;
    }
    if (level === multipliers.length - 1) return;
    passes.push({ kind: "downsample", name: `encoder.down.${level}.downsample.conv`, inputs, outputs });
  });
  passes.push(...middle("encoder.mid", inputs));
  passes.push({ kind: "end", name: "encoder", inputs, outputs: 2 * latentChannels });
  return passes;
}

/** Latents to pixels, their blocks as channels where the configuration has such. */
export function decoderPasses(config: AutoencoderConfig): AutoencoderPass[] {
  const { channels, multipliers, blocks, outChannels, latentChannels, pixelShuffle } = config;
  let inputs = channels * (multipliers.at(-1) as number);
  const passes: AutoencoderPass[] = [
    { kind: "conv", name: "decoder.conv_in", inputs: latentChannels, outputs: inputs },
    ...middle("decoder.mid", inputs),
  ];
  for (let level = multipliers.length - 1; level >= 0; level--) {
    const outputs = channels * (multipliers[level] as number);
    for (let index = 0; index <= blocks; index++) {
      passes.push(...block(`decoder.up.${level}.block.${index}`, inputs, outputs));
      inputs = outputs;
    }
    if (level > 0)
      passes.push({ kind: "upsample", name: `decoder.up.${level}.upsample.conv`, inputs, outputs });
  }
  passes.push({ kind: "end", name: "decoder", inputs, outputs: outChannels * pixelShuffle ** 2 });
  return passes;
}
