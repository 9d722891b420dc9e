import { describe, expect, it } from "vitest";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { LocalFolder } from "../files/local-folder.ts";
import type { OnnxModel } from "../graph/onnx-writer.ts";
import { packedWeightOf, type WeightPlan } from "../model/weight-format.ts";
import { decoderGraph, encoderGraph } from "./autoencoder-graphs.ts";
import { backboneGraph } from "./backbone-graph.ts";
import { imageHeadGraph, lmHeadGraph } from "./head-graphs.ts";
import { boundBytes, partParameters, type WeightPart } from "./part-weights.ts";
import { testModelPath } from "./test-models.ts";

const names = ({ parameters }: OnnxModel): string[] =>
  [...new Set(parameters.map(({ name }) => packedWeightOf(name)))].toSorted();

describe.each(["v1", "v1.1"] as const)("the parts of %s", (release) => {
  it("are what their graphs ask for, of an LM head that is tied too", async () => {
    await using folder = await openModelFolder(new LocalFolder(testModelPath(release)));
    const { config, autoencoder } = folder;
    if (autoencoder === undefined) throw new Error("has no autoencoder");
    const listed = (part: WeightPart, tied = config): string[] => {
      const { parameters } = part === "encoder" || part === "decoder" ? autoencoder : folder;
      return partParameters(part, parameters, tied)
        .map(({ name }) => name)
        .toSorted();
    };
    expect(listed("transformer")).toEqual(names(backboneGraph(config)));
    expect(listed("image head")).toEqual(names(imageHeadGraph(config)));
    for (const tieWordEmbeddings of [false, true]) {
      const tied = { ...config, tieWordEmbeddings };
      expect(listed("lm head", tied)).toEqual(names(lmHeadGraph(tied)));
    }
    expect(listed("encoder")).toEqual(names(encoderGraph(autoencoder.config)));
    expect(listed("decoder")).toEqual(names(decoderGraph(autoencoder.config)));
  });
});

describe("boundBytes", () => {
  const parameters = [
    { name: "a.weight", shape: [10, 100] },
    { name: "a.bias", shape: [10] },
  ];
  const bytes = (plan: WeightPlan): number => boundBytes(parameters, plan);

  it("counts floats of any kind as float32", () => {
    expect(bytes(() => "float32")).toBe(4040);
    expect(bytes(() => "bfloat16")).toBe(4040);
  });

  it("counts whole blocks, their scales three times, and zero points where there are some", () => {
    const blocks = { bits: 4, blockSize: 32 } as const;
    // 4 blocks a row of 16 bytes each.
    expect(bytes(() => ({ ...blocks, symmetric: true }))).toBe(10 * 4 * 16 + 3 * 4 * 40 + 40);
    expect(bytes(() => ({ ...blocks, symmetric: false }))).toBe(10 * 4 * 16 + 10 * 2 + 3 * 4 * 40 + 40);
  });
});
