/**
 * @file Checkpoints of the GPTQ family: for each linear, integers in 32-bit words, scales and zero points for groups of
 * inputs. Which linears are stored so, the tensors say: `NAME.qweight` stands where `NAME.weight` would. A group goes over
 * to one block of the engine or several that share its scale, so that every weight stays scale * (integer - zero).
 */
import { ModelFormatError, UnsupportedError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import { dequantizeBlocks } from "../../model/block-quantization.ts";
import {
  type BlockFormat,
  packedShapes,
  packedWeightOf,
  scalesName,
  zeroPointsName,
} from "../../model/weight-format.ts";
import type { StoredWeight } from "../../runtime/engine.ts";
import { bytesOf } from "../../tensor/dtype.ts";
import { sameShape } from "../../tensor/shape.ts";
import { toFloat32 } from "../../tensor/tensor.ts";
import { formsText, type GroupForm, type GroupSettings } from "./group-settings.ts";
import { transposeNibbles, transposeWords, unpackZeros } from "./packed-words.ts";
import type {
  QuantizedCheckpoint,
  QuantizedMatrix,
  QuantizedPart,
  QuantizedWeights,
  StoredTensors,
} from "./quantized-weights.ts";

/** How integers lie in the words, and what a stored zero point means. */
export interface WordLayout {
  /** For people, e.g. `gptq`. */
  readonly title: string;
  /** `inputs`: a word holds consecutive inputs (GPTQ); `outputs`: eight outputs in AWQ's order. */
  readonly along: "inputs" | "outputs";
  /** What has to be added to a stored zero point: 1 for the first GPTQ format. */
  readonly zeroOffset: 0 | 1;
}

const BLOCK_SIZES = [128, 64, 32] as const;
const SUFFIXES = ["qweight", "qzeros", "scales", "g_idx", "bias"] as const;
/** A table of rows, not a linear: none of the layouts has it. */
const EMBEDDING = "embed_tokens";

interface GroupedMatrix extends QuantizedMatrix {
  readonly module: string;
  /** Inputs that share a scale, at most all of a row. */
  readonly groupSize: number;
  readonly groups: number;
}

/**
 * @throws ModelFormatError when settings and tensors contradict each other, UnsupportedError for groups that are not
 * consecutive inputs.
 */
export async function readGroupedLayout(
  { tensors, parameters, where }: QuantizedCheckpoint,
  settings: GroupSettings,
  layout: WordLayout,
): Promise<QuantizedWeights> {
  const matrices = new Map<string, GroupedMatrix>();
  for (const { name, shape } of parameters) {
    const module = /^(.*)\.weight$/.exec(name)?.[1];
    const [outputs, inputs] = shape;
    if (module === undefined || module === EMBEDDING || !tensors.entries.has(`${module}.qweight`)) continue;
    if (outputs === undefined || inputs === undefined || shape.length !== 2) continue;
    if (tensors.entries.has(name)) {
      throw new ModelFormatError(`holds both ${module}.qweight and ${name}`, {
        where: tensors.name,
        remedy: "the checkpoint mixes two models: fetch it again",
      });
    }
    const float = settings.floats.find((entry) => entry === module || module.startsWith(`${entry}.`));
    if (float !== undefined) {
      throw new ModelFormatError(
        `says that ${quoted(float)} is left in float, but ${module}.qweight is there`,
        {
          where,
          remedy: "config.json and weights must come from the same model",
        },
      );
    }
    matrices.set(name, describe(tensors, module, [outputs, inputs], settings, layout));
  }
  if (matrices.size === 0) {
    throw new ModelFormatError("speaks of quantized weights, but no tensor of the model is a qweight", {
      where,
      remedy: "config.json and weights must come from the same model",
    });
  }
  refuseStrangeParts(tensors, matrices);
  for (const matrix of matrices.values()) {
    await checkGroupIndex(tensors, matrix);
    await checkBias(
      tensors,
      matrix,
      parameters.some(({ name }) => name === `${matrix.module}.bias`),
    );
  }
  const source = new GroupedSource(tensors, matrices, layout);
  return {
    layout: `${layout.title}, ${formsText(settings)}`,
    matrices,
    unknownKeys: settings.unknownKeys,
    weightSource: ({ name }) => source.bind(name),
    dequantize: (name) => source.dequantize(name),
  };
}

function describe(
  tensors: StoredTensors,
  module: string,
  [outputs, inputs]: readonly [number, number],
  settings: GroupSettings,
  layout: WordLayout,
): GroupedMatrix {
  const form = formOf(tensors, module, inputs, settings.forms, layout);
  const { bits } = form;
  const groupSize = effectiveGroup(form, inputs);
  const groups = Math.ceil(inputs / groupSize);
  const words = (values: number): number => Math.ceil((values * bits) / 32);
  const storedScales = tensors.entries.get(`${module}.scales`)?.dtype;
  const scales = storedScales === "float32" || storedScales === "bfloat16" ? storedScales : "float16";
  const parts: QuantizedPart[] = [
    {
      name: `${module}.qweight`,
      dtype: "int32",
      shape: layout.along === "inputs" ? [words(inputs), outputs] : [inputs, words(outputs)],
    },
    { name: `${module}.qzeros`, dtype: "int32", shape: [groups, words(outputs)] },
    { name: `${module}.scales`, dtype: scales, shape: [groups, outputs] },
  ];
  if (tensors.entries.has(`${module}.g_idx`)) {
    parts.push({ name: `${module}.g_idx`, dtype: "int32", shape: [inputs] });
  }
  const bias = tensors.entries.get(`${module}.bias`);
  if (bias !== undefined) parts.push({ name: `${module}.bias`, dtype: bias.dtype, shape: [outputs] });
  const blockSize =
    groupSize === inputs
      ? (BLOCK_SIZES.find((size) => size === form.groupSize) ?? 128)
      : (BLOCK_SIZES.find((size) => groupSize % size === 0) as BlockFormat["blockSize"]);
  const format: BlockFormat = { bits, blockSize, symmetric: settings.symmetric };
  return { shape: [outputs, inputs], format, parts, module, groupSize, groups };
}

/** The form, of those that the settings state, of which a matrix has the shapes; the usual one if it has none's. */
function formOf(
  tensors: StoredTensors,
  module: string,
  inputs: number,
  forms: GroupSettings["forms"],
  layout: WordLayout,
): GroupForm {
  const packed = tensors.entries.get(`${module}.qweight`)?.shape[0];
  const groups = tensors.entries.get(`${module}.scales`)?.shape[0];
  const fitting = forms.filter(
    (form) =>
      (layout.along === "outputs" || packed === Math.ceil((inputs * form.bits) / 32)) &&
      groups === Math.ceil(inputs / effectiveGroup(form, inputs)),
  );
  const [first = forms[0], ...others] = fitting;
  const other = others.find((form) => effectiveGroup(form, inputs) !== effectiveGroup(first, inputs));
  if (other !== undefined) {
    throw new ModelFormatError(
      `${module} could be in groups of ${first.groupSize} or ${other.groupSize}: both have its shapes`,
      { where: tensors.name },
    );
  }
  return first;
}

function effectiveGroup({ groupSize }: GroupForm, inputs: number): number {
  return groupSize === -1 ? inputs : Math.min(groupSize, inputs);
}

/** A tensor of a quantized linear that nothing is known of may well change what the linear computes. */
function refuseStrangeParts(tensors: StoredTensors, matrices: ReadonlyMap<string, GroupedMatrix>): void {
  for (const name of tensors.entries.keys()) {
    const dot = name.lastIndexOf(".");
    const suffix = name.slice(dot + 1);
    if (!matrices.has(`${name.slice(0, dot)}.weight`) || SUFFIXES.some((known) => known === suffix)) continue;
    throw new UnsupportedError(`a quantized layer with a tensor ${quoted(name)}`, {
      where: tensors.name,
      remedy: `known are ${SUFFIXES.join(", ")}; convert the original weights with \`nextstep convert\``,
    });
  }
}

/** Groups in order of activations would have to be gathered at every product. */
async function checkGroupIndex(tensors: StoredTensors, matrix: GroupedMatrix): Promise<void> {
  const name = `${matrix.module}.g_idx`;
  const entry = tensors.entries.get(name);
  // Another form is listed with all other tensors.
  if (entry?.dtype !== "int32" || !sameShape(entry.shape, [matrix.shape[1]])) return;
  const { data } = await tensors.readStored(name);
  for (let input = 0; input < data.length; input++) {
    const group = Number(data[input]);
    if (group === Math.floor(input / matrix.groupSize)) continue;
    if (group < 0 || group >= matrix.groups) {
      throw new ModelFormatError(
        `tensor "${name}" puts input ${input} into group ${group} of ${matrix.groups}`,
        {
          where: tensors.name,
          remedy: "the file is damaged: fetch it again",
        },
      );
    }
    throw new UnsupportedError(
      `groups in order of activations (act-order, desc_act): ${name} is not sorted`,
      {
        where: tensors.name,
        remedy:
          "take a checkpoint made with desc_act false or static_groups true, or convert the original weights",
      },
    );
  }
}

/** Some tools store a bias of zeros for every linear; any other one would be missed. */
async function checkBias(
  tensors: StoredTensors,
  { module, shape }: GroupedMatrix,
  known: boolean,
): Promise<void> {
  const name = `${module}.bias`;
  const entry = tensors.entries.get(name);
  if (known || entry === undefined || !sameShape(entry.shape, [shape[0]])) return;
  for (const element of toFloat32(await tensors.readStored(name))) {
    if (element === 0) continue;
    throw new ModelFormatError(`tensor "${name}" is not zero, but the model has no bias there`, {
      where: tensors.name,
      remedy: "config.json and weights must come from the same model",
    });
  }
}

/** Repacks one part of one matrix whenever it is asked for; keeps nothing. */
class GroupedSource {
  readonly #tensors: StoredTensors;
  readonly #matrices: ReadonlyMap<string, GroupedMatrix>;
  readonly #layout: WordLayout;

  constructor(tensors: StoredTensors, matrices: ReadonlyMap<string, GroupedMatrix>, layout: WordLayout) {
    this.#tensors = tensors;
    this.#matrices = matrices;
    this.#layout = layout;
  }

  /** A parameter that stands for a matrix: integers, scales or zero points. */
  async bind(parameter: string): Promise<StoredWeight> {
    const weight = packedWeightOf(parameter);
    const matrix = this.#matrix(weight);
    if (parameter === scalesName(weight)) return this.#scales(matrix);
    if (parameter === zeroPointsName(weight)) return { dtype: "uint8", data: await this.#zeroPoints(matrix) };
    return { dtype: "uint8", data: await this.#integers(matrix) };
  }

  async dequantize(weight: string): Promise<Float32Array> {
    const matrix = this.#matrix(weight);
    const { shape, format } = matrix;
    const packed = {
      packed: await this.#integers(matrix),
      scales: await this.#scales(matrix),
      zeroPoints: format.symmetric ? undefined : await this.#zeroPoints(matrix),
    };
    return dequantizeBlocks(packed, shape[0], shape[1], format);
  }

  #matrix(weight: string): GroupedMatrix {
    const matrix = this.#matrices.get(weight);
    if (matrix === undefined)
      throw new ModelFormatError(`has no matrix "${weight}"`, { where: this.#tensors.name });
    return matrix;
  }

  /** [outputs, blocks, blockSize * bits / 8] */
  async #integers({ module, shape: [outputs, inputs], format }: GroupedMatrix): Promise<Uint8Array> {
    const [, blocks, bytesPerBlock] = packedShapes(format, outputs, inputs).packed;
    const rowWords = (blocks * bytesPerBlock) / 4;
    const words = await this.#words(`${module}.qweight`);
    // Inputs that fill up a last block meet activations of zero.
    const packed =
      this.#layout.along === "inputs"
        ? transposeWords(words, words.length / outputs, outputs, rowWords)
        : transposeNibbles(words, inputs, outputs / 8, rowWords);
    return bytesOf(packed);
  }

  /** [outputs, blocks] */
  async #scales(matrix: GroupedMatrix): Promise<Float32Array> {
    const { module, shape, format, groupSize, groups } = matrix;
    // There is no parameter for zero points that could be wrong, so they are looked at here.
    if (format.symmetric) await this.#zeros(matrix);
    const [outputs, blocks] = packedShapes(format, ...shape).scales;
    const stored = toFloat32(await this.#tensors.readStored(`${module}.scales`));
    const scales = new Float32Array(outputs * blocks);
    for (let block = 0; block < blocks; block++) {
      const group = Math.min(Math.floor((block * format.blockSize) / groupSize), groups - 1);
      for (let output = 0; output < outputs; output++) {
        const scale = stored[group * outputs + output] as number;
        if (!Number.isFinite(scale)) {
          throw new ModelFormatError(`tensor "${module}.scales" holds ${scale}`, {
            where: this.#tensors.name,
            remedy: "the file is damaged: fetch it again",
          });
        }
        scales[output * blocks + block] = scale;
      }
    }
    return scales;
  }

  /** [outputs, ceil(blocks * bits / 8)] */
  async #zeroPoints(matrix: GroupedMatrix): Promise<Uint8Array> {
    const { shape, format, groupSize, groups } = matrix;
    const { bits, blockSize } = format;
    const { scales, zeroPoints } = packedShapes(format, ...shape);
    const [outputs, blocks] = scales;
    const zeros = await this.#zeros(matrix);
    const packed = new Uint8Array(outputs * zeroPoints[1]);
    for (let block = 0; block < blocks; block++) {
      const group = Math.min(Math.floor((block * blockSize) / groupSize), groups - 1);
      const [place, shift] = [Math.floor((block * bits) / 8), (block * bits) % 8];
      for (let output = 0; output < outputs; output++) {
        const at = output * zeroPoints[1] + place;
        packed[at] = (packed[at] as number) | ((zeros[group * outputs + output] as number) << shift);
      }
    }
    return packed;
  }

  /** Zero points as they are meant. [groups, outputs] */
  async #zeros({ module, shape: [outputs], format, groups }: GroupedMatrix): Promise<Uint8Array> {
    const { bits, symmetric } = format;
    const { along, zeroOffset } = this.#layout;
    const name = `${module}.qzeros`;
    const zeros = unpackZeros(await this.#words(name), groups, outputs, {
      bits,
      awqOrder: along === "outputs",
    });
    const middle = 2 ** (bits - 1);
    const top = 2 ** bits - 1;
    for (let i = 0; i < zeros.length; i++) {
      const zero = (zeros[i] as number) + zeroOffset;
      if (zero > top) {
        // Writers borrow from or overwrite the next one in the word; readers take it for 0, for 16 or carry it.
        throw new UnsupportedError(
          `"${name}" stores a zero point of 0 as 0 - 1, which published programs read differently`,
          {
            where: this.#tensors.name,
            remedy: "take a checkpoint in the format gptq_v2, or convert the original weights",
          },
        );
      }
      if (symmetric && zero !== middle) {
        throw new ModelFormatError(
          `is said to be symmetric, but "${name}" holds a zero point of ${zero}, not ${middle}`,
          {
            where: this.#tensors.name,
            remedy: "config.json and weights must come from the same model and say the same format",
          },
        );
      }
      zeros[i] = zero;
    }
    return zeros;
  }

  async #words(name: string): Promise<Uint32Array> {
    const { data } = await this.#tensors.readStored(name);
    return new Uint32Array(data.buffer, data.byteOffset, data.length);
  }
}
