/**
 * @file Checkpoints of the GPTQ family: for each linear, integers in 32-bit words, scales and zero points for groups of
 * inputs. Which linears are stored so, the tensors say: `NAME.qweight` stands where `NAME.weight` would. A group goes over
 * to one block of the engine or several that share its scale, so that every weight stays scale * (integer - zero).
 */
import { ModelFormatError, UnsupportedError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import { EMBEDDING } from "../../model/backbone.ts";
import type { BlockFormat } from "../../model/weight-format.ts";
import { sameShape } from "../../tensor/shape.ts";
import { toFloat32 } from "../../tensor/tensor.ts";
import { formsText, type GroupForm, type GroupSettings } from "./group-settings.ts";
import { type GroupedMatrix, GroupedSource, type WordLayout } from "./grouped-source.ts";
import type {
  QuantizedCheckpoint,
  QuantizedPart,
  QuantizedWeights,
  StoredTensors,
} from "./quantized-weights.ts";

const BLOCK_SIZES = [128, 64, 32] as const;
const SUFFIXES = ["qweight", "qzeros", "scales", "g_idx", "bias"] as const;

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
    // A table of rows is no linear: none of the layouts has it.
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
    dequantize: (name, rows) => source.dequantize(name, rows),
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
