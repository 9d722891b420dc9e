import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { type GroupedOptions, writeGrouped } from "../../../test/support/write-grouped.ts";
import { ModelFormatError, UnsupportedError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import type { TensorToWrite } from "../../formats/tensor-source.ts";
import { dequantizeBlocks } from "../../model/block-quantization.ts";
import { scalesName, zeroPointsName } from "../../model/weight-format.ts";
import { inspectPath } from "../../node/inspect-path.ts";
import type { WeightBytes } from "../../runtime/engine.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import { float16ToFloat32 } from "../../tensor/half.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { formatInspection } from "../format-inspection.ts";
import { type ModelFolder, openModelFolder } from "../model-folder.ts";

const MODEL = fileURLToPath(new URL("../../../test/parity/models/v1", import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), "nextstep-grouped-"));
afterAll(() => rm(scratch, { recursive: true, force: true }));

const UP = "layers.1.mlp.up_proj";
const DOWN = "layers.1.mlp.down_proj";
const QUERY = "layers.0.self_attn.q_proj";
/** Weights and configuration alone, which is what is read every time. */
const SOURCE = join(scratch, "source");
await cp(MODEL, SOURCE, { recursive: true, filter: (path) => !/vae$|token|vocab|merges/.test(path) });
const isTaken = (module: string): boolean => [UP, DOWN, QUERY].includes(module);

let made = 0;
async function write(options: GroupedOptions) {
  const path = join(scratch, `${made++}`);
  const meant = await writeGrouped(SOURCE, path, { quantizes: isTaken, ...options });
  return { path, meant, open: () => openModelFolder(new LocalFolder(path)) };
}

const GPTQ = { quant_method: "gptq", bits: 4, group_size: 32, sym: false, desc_act: false };
const gptq = (options: Partial<GroupedOptions> & { settings?: object } = {}): GroupedOptions => ({
  ...{ words: "gptq", bits: 4, groupSize: 32, symmetric: false },
  ...options,
  settings: { ...GPTQ, ...options.settings },
});

/** What the parameters that a graph binds stand for. */
async function bound({ tensors }: ModelFolder, name: string): Promise<Float32Array> {
  const { shape, format } = tensors.quantized!.matrices.get(name)!;
  const part = async (parameter: string): Promise<TypedArray> => {
    const stored = await tensors.weightSource({ name: parameter, dtype: "uint8", shape: [] });
    return stored instanceof Float32Array ? stored : (stored as WeightBytes).data;
  };
  return dequantizeBlocks(
    {
      packed: (await part(name)) as Uint8Array,
      scales: (await part(scalesName(name))) as Float32Array,
      zeroPoints: format.symmetric ? undefined : ((await part(zeroPointsName(name))) as Uint8Array),
    },
    ...shape,
    format,
  );
}

describe("checkpoints that others quantized", () => {
  const layouts = [
    ["gptq", "gptq", { ...GPTQ, checkpoint_format: "gptq" }],
    ["gptq_v2", "gptq_v2", { ...GPTQ, checkpoint_format: "gptq_v2", meta: { quantizer: "gptqmodel:2.2.0" } }],
    ["awq", "awq", { quant_method: "awq", version: "GEMM", modules_to_not_convert: null }],
    ["auto-round as gptq", "gptq", { quant_method: "auto-round", packing_format: "auto_round:auto_gptq" }],
    ["auto-round as awq", "awq", { quant_method: "auto-round", packing_format: "auto_round:auto_awq" }],
    [
      "auto-round by itself",
      "gptq_v2",
      { quant_method: "auto-round", packing_format: "auto_round:exllamav2" },
    ],
  ] as const;
  const forms = [32, 64, 128, -1, 96].flatMap((groupSize) =>
    [true, false].map((symmetric) => ({ groupSize, symmetric })),
  );
  const few = [forms[0]!, forms[5]!];
  const eight = [
    { groupSize: 32, symmetric: true, bits: 8 } as const,
    { groupSize: 64, symmetric: false, bits: 8 } as const,
  ];

  it.each(
    layouts.flatMap(([name, words, settings]) =>
      [...(name.startsWith("auto") ? few : forms), ...(words === "awq" ? [] : eight)].map((form) => ({
        bits: 4 as const,
        ...form,
        name,
        words,
        settings,
      })),
    ),
  )("$name, $bits bits, groups of $groupSize, symmetric $symmetric: every weight exactly", async (form) => {
    const { name: _, settings, ...options } = form;
    const sense = { bits: form.bits, group_size: form.groupSize };
    const symmetry =
      form.words === "awq" && settings.quant_method === "awq"
        ? { zero_point: !form.symmetric }
        : { sym: form.symmetric };
    const { meant, open } = await write({ ...options, settings: { ...settings, ...sense, ...symmetry } });
    await using model = await open();
    for (const module of [UP, DOWN, QUERY]) {
      const name = `${module}.weight`;
      const expected = meant.get(name)!;
      expect(new Set(expected).size).toBeGreaterThan(10);
      expect(await model.tensors.read(name)).toEqual(expected);
      expect(await bound(model, name)).toEqual(expected);
      expect(model.tensors.weightPlan(name)).toMatchObject({ bits: form.bits, symmetric: form.symmetric });
    }
    expect(model.tensors.weightPlan("lm_head.weight")).toBe("float32");
  });

  it.each([
    ["intel/auto-round", { backend: "auto_round:gptq:exllamav2" }],
    ["intel/auto-round", { backend: "auto" }],
    ["autoround", { packing_format: "autoround:auto_gptq" }],
    ["auto_round", {}],
    [
      "auto-round",
      { packing_format: "auto_round:auto_gptq", backend: "marlin", data_type: "int", act_bits: 16 },
    ],
  ])("reads AutoRound spelled %s with %j", async (quant_method, spelling) => {
    const settings = { quant_method, bits: 4, group_size: 32, sym: true, ...spelling };
    const { meant, open } = await write({ ...gptq(), symmetric: true, settings });
    await using model = await open();
    expect(await model.tensors.read(`${UP}.weight`)).toEqual(meant.get(`${UP}.weight`));
  });

  it("reads names under model., shards, a sorted g_idx, biases of zeros and scales in float32", async () => {
    const zeros = (tensors: TensorToWrite[]): TensorToWrite[] => [
      ...tensors.map((tensor) => (tensor.name.endsWith("up_proj.scales") ? widened(tensor) : tensor)),
      plain(`model.${DOWN}.bias`, { dtype: "float16", shape: [64], data: new Uint16Array(64) }),
    ];
    const { meant, open } = await write(
      gptq({ prefix: "model.", shards: 3, groupIndex: "sorted", change: zeros }),
    );
    await using model = await open();
    expect(model.problems.map(({ kind }) => kind)).toEqual(["location"]);
    for (const name of [`${UP}.weight`, `${DOWN}.weight`]) {
      expect(await model.tensors.read(name)).toEqual(meant.get(name));
    }
  });

  it("reads linears of another form where an exception says so, and is described by inspect", async () => {
    const settings = {
      extra_config: {
        ".*up_proj": { bits: 8, group_size: 64 },
        "model.lm_head": { bits: 16, data_type: "float" },
      },
      quant_method: "auto-round",
      later_key: 1,
    };
    const { path, meant, open } = await write(
      gptq({ settings, exceptions: { [UP]: { bits: 8, groupSize: 64 } } }),
    );
    await using model = await open();
    for (const name of [`${UP}.weight`, `${DOWN}.weight`]) {
      expect(await model.tensors.read(name)).toEqual(meant.get(name));
    }
    const text = formatInspection(await inspectPath(path));
    expect(text).toMatch(
      /layout auto-round \(auto_round:auto_gptq\), 4 bits in groups of 32 or 8 bits in groups of 64, asymmetric/,
    );
    expect(text).toMatch(/8-bit blocks of 64, asymmetric +backbone/);
    expect(text).toMatch(/left in float: .*image_head\.net\.res_blocks\.\*\.mlp\.0, .*lm_head/);
    expect(text).toMatch(/left in float: .*layers\.0\.mlp\.up_proj.*layers\.\*\.self_attn\.k_proj/);
    expect(text).toMatch(/note +later_key is not a known key/);
  });
});

describe("refused are", () => {
  const config: [string, Partial<GroupedOptions>, RegExp][] = [
    [
      "bits in between",
      { settings: { bits: 3 } },
      /quantization_config\.bits: weights of "3" bits \(4 and 8/,
    ],
    ["no bits", { settings: { bits: undefined } }, /does not say how many bits/],
    ["two opinions", { settings: { w_bit: 8 } }, /bits "4" and w_bit "8" contradict/],
    ["narrow groups", { settings: { group_size: 16 } }, /groups of "16" \(groups of multiples of 32/],
    ["groups of a word", { settings: { group_size: "all" } }, /groups of "all"/],
    [
      "another GPTQ format",
      { settings: { checkpoint_format: "marlin" } },
      /packed as "marlin" \(known are gptq, gptq_v2/,
    ],
    ["marlin by its flag", { settings: { is_marlin_format: true } }, /packed as "marlin"/],
    [
      "an unknown packing",
      { settings: { quant_method: "auto-round", packing_format: "auto_round:llm_compressor" } },
      /packing_format: weights packed as "auto_round:llm_compressor"/,
    ],
    [
      "other AWQ versions",
      { settings: { quant_method: "awq", version: "gemv" } },
      /packed as "gemv" \(known are gemm/,
    ],
    ["AWQ of 8 bits", { settings: { quant_method: "awq", bits: 8 } }, /8 bits packed by AWQ/],
    [
      "an unknown method",
      { settings: { quant_method: "exl3" } },
      /"exl3" \(known are nextstep, auto-round, gptq, awq/,
    ],
    ["floats of 4 bits", { settings: { data_type: "nv_fp" } }, /data_type: weights of type "nv_fp"/],
    ["activations in integers", { settings: { act_bits: 8 } }, /act_bits: activations of "8" bits/],
    ["rotated weights", { settings: { rotation_config: { r1: true } } }, /changed by "rotation_config"/],
    ["symmetry twice", { settings: { zero_point: false } }, /sym and zero_point contradict/],
    ["exceptions that are no object", { settings: { extra_config: [] } }, /extra_config: is not an object/],
    ["a list that is none", { settings: { modules_to_not_convert: "lm_head" } }, /is not a list of names/],
    [
      "a float that is not one",
      { settings: { extra_config: { [`model.${UP}`]: { bits: 16 } } } },
      /says that "layers\.1\.mlp\.up_proj" is left in float, but layers\.1\.mlp\.up_proj\.qweight is there/,
    ],
    [
      "a list that names a quantized module",
      { settings: { modules_to_not_convert: ["layers.1.mlp"] } },
      /"layers\.1\.mlp" is left in float/,
    ],
    ["dynamic exceptions that are not", { settings: { dynamic: { [`-:${UP}`]: {} } } }, /left in float/],
    [
      "other groups than stated",
      { settings: { group_size: 64 } },
      /holds int32 \[\d, \d+\], expected int32 \[\d, \d+\]/,
    ],
    ["other bits than stated", { settings: { bits: 8 } }, /holds int32 \[8, 64\], expected int32 \[16, 64\]/],
    ["another layout than stated", { words: "awq" }, /holds int32 \[64, 8\], expected int32 \[8, 64\]/],
    [
      "groups in order of activations",
      { groupIndex: "shuffled" },
      /act-order.*g_idx is not sorted.*\(take a checkpoint/,
    ],
    ["nothing quantized", { quantizes: () => false }, /no tensor of the model is a qweight/],
  ];
  it.each(config)("%s", async (_, options, message) => {
    await refused(options, message);
  });

  const tensors: [string, (tensors: TensorToWrite[]) => TensorToWrite[], RegExp][] = [
    [
      "missing scales",
      (list) => list.filter(({ name }) => name !== `${UP}.scales`),
      /up_proj\.scales" is missing, expected float16 \[2, 160\]/,
    ],
    [
      "missing zero points",
      (list) => list.filter(({ name }) => name !== `${UP}.qzeros`),
      /up_proj\.qzeros" is missing/,
    ],
    [
      "missing integers",
      (list) => list.filter(({ name }) => name !== `${UP}.qweight`),
      /up_proj\.weight" is missing/,
    ],
    [
      "a weight twice",
      (list) => [...list, plain(`${UP}.weight`, floats([160, 64]))],
      /holds both layers\.1\.mlp\.up_proj\.qweight and/,
    ],
    [
      "a bias that is not zero",
      (list) => [...list, plain(`${UP}.bias`, floats([160]))],
      /up_proj\.bias" is not zero/,
    ],
    [
      "tensors that nobody knows",
      (list) => [...list, plain(`${UP}.spinquant_r4_K`, floats([1]))],
      /with a tensor "layers\.1\.mlp\.up_proj\.spinquant_r4_K"/,
    ],
    [
      "a group that is not there",
      (list) => [...list, plain(`${UP}.g_idx`, integers([64], 7))],
      /puts input 0 into group 7 of 2/,
    ],
    [
      "a g_idx of another length",
      (list) => [...list, plain(`${UP}.g_idx`, integers([63], 0))],
      /g_idx" holds int32 \[63\], expected int32 \[64\]/,
    ],
  ];
  it.each(tensors)("%s", async (_, change, message) => {
    await refused({ change }, message);
  });

  const whileBound: [string, Partial<GroupedOptions>, RegExp][] = [
    [
      "zero points of symmetric weights",
      { settings: { sym: true } },
      /said to be symmetric, but "layers\.1\.mlp\.up_proj\.qzeros" holds a zero point of/,
    ],
    [
      "a zero point that wrapped",
      { change: replace("qzeros", integers([2, 20], -1)) },
      /stores a zero point of 0 as 0 - 1.*gptq_v2/,
    ],
    [
      "scales that are no numbers",
      {
        change: replace("scales", {
          dtype: "float16",
          shape: [2, 160],
          data: new Uint16Array(320).fill(0x7c00),
        }),
      },
      /up_proj\.scales" holds Infinity/,
    ],
  ];
  it.each(whileBound)("%s, while they are bound", async (_, options, message) => {
    const { open } = await write(gptq(options));
    await using model = await open();
    await expect(bound(model, `${UP}.weight`)).rejects.toThrow(message);
    await expect(model.tensors.read(`${UP}.weight`)).rejects.toSatisfy(isTyped);
  });

  async function refused(options: Partial<GroupedOptions>, message: RegExp): Promise<void> {
    const { open } = await write(gptq(options));
    await expect(open()).rejects.toSatisfy(
      (error) => isTyped(error) && message.test((error as Error).message),
    );
  }
});

function isTyped(error: unknown): boolean {
  return error instanceof ModelFormatError || error instanceof UnsupportedError;
}

function plain(
  name: string,
  stored: Tensor | (() => Promise<Tensor>),
  form?: Pick<Tensor, "dtype" | "shape">,
): TensorToWrite {
  const { dtype, shape } = form ?? (stored as Tensor);
  return { name, dtype, shape, load: () => (typeof stored === "function" ? stored() : stored) };
}

function floats(shape: readonly number[]): Tensor {
  return { dtype: "float32", shape, data: new Float32Array(shape.reduce((a, b) => a * b)).fill(1) };
}

function integers(shape: readonly number[], value: number): Tensor {
  return { dtype: "int32", shape, data: new Int32Array(shape.reduce((a, b) => a * b)).fill(value) };
}

function replace(part: string, by: Tensor) {
  return (tensors: TensorToWrite[]): TensorToWrite[] =>
    tensors.map((tensor) => (tensor.name === `${UP}.${part}` ? plain(tensor.name, by) : tensor));
}

function widened(tensor: TensorToWrite): TensorToWrite {
  return {
    ...tensor,
    dtype: "float32",
    load: async () => {
      const { shape, data } = await tensor.load();
      return { dtype: "float32", shape, data: float16ToFloat32(data as Uint16Array) };
    },
  };
}
