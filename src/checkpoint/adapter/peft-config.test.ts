import { describe, expect, it } from "vitest";
import { ModelFormatError, UnsupportedError } from "../../errors.ts";
import { parsePeftConfig, scalingOf } from "./peft-config.ts";

const PLAIN = { peft_type: "LORA", r: 8, lora_alpha: 16, target_modules: ["q_proj"] };
const parse = (change: object) => parsePeftConfig({ ...PLAIN, ...change }, "adapter_config.json");

describe("a configuration of PEFT", () => {
  it("scales by alpha / rank, or alpha / sqrt(rank) if it says so", () => {
    expect(scalingOf(parse({}), "layers.0.self_attn.q_proj")).toEqual({ rank: 8, scale: 2 });
    const { scale } = scalingOf(parse({ use_rslora: true }), "layers.0.self_attn.q_proj");
    expect(scale).toBeCloseTo(16 / Math.sqrt(8), 12);
  });

  it("gives modules their own rank and alpha, the first pattern that names them", () => {
    const config = parse({
      rank_pattern: { "layers.1.mlp.up_proj": 2, up_proj: 4, "^model.layers.0.self_attn.q_proj": 16 },
      alpha_pattern: { "self_attn\\.q_proj": 4 },
    });
    expect(scalingOf(config, "layers.1.mlp.up_proj")).toEqual({ rank: 2, scale: 8 });
    expect(scalingOf(config, "layers.11.mlp.up_proj")).toEqual({ rank: 4, scale: 4 });
    expect(scalingOf(config, "model.layers.0.self_attn.q_proj")).toEqual({ rank: 16, scale: 0.25 });
    expect(scalingOf(config, "layers.0.self_attn.q_proj")).toEqual({ rank: 8, scale: 0.5 });
  });

  it.each([
    [{ use_dora: true }, "use_dora"],
    [{ bias: "all" }, "bias"],
    [{ modules_to_save: ["lm_head"] }, "modules_to_save"],
    [{ fan_in_fan_out: true }, "fan_in_fan_out"],
    [{ lora_bias: true }, "lora_bias"],
    [{ layer_replication: [[0, 4]] }, "layer_replication"],
    [{ init_lora_weights: "pissa" }, "init_lora_weights"],
    [{ trainable_token_indices: [1] }, "trainable_token_indices"],
    [{ something_new: 3 }, "something_new"],
    [{ rank_pattern: { "layers.[01].*": 4 } }, "rank_pattern"],
    [{ peft_type: "IA3" }, "peft_type"],
  ])("refuses %j by its name", (change, name) => {
    expect(() => parse(change)).toThrow(UnsupportedError);
    expect(() => parse(change)).toThrow(name);
  });

  it.each([
    [{ r: 0 }, "r"],
    [{ r: 1e9 }, "r"],
    [{ lora_alpha: "8" }, "lora_alpha"],
    [{ target_modules: 3 }, "target_modules"],
    [{ alpha_pattern: { q_proj: null } }, "alpha_pattern"],
    [{ rank_pattern: [] }, "rank_pattern"],
  ])("refuses %j as damaged", (change, name) => {
    expect(() => parse(change)).toThrow(ModelFormatError);
    expect(() => parse(change)).toThrow(name);
  });

  it("takes what is switched off for not there", () => {
    expect(() =>
      parse({ use_dora: false, arrow_config: null, modules_to_save: [], loftq_config: {}, task_type: "X" }),
    ).not.toThrow();
  });
});
