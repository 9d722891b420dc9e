/** @file Config of adapter training: that of model training, with an adapter in place of the model. */
import { z } from "zod";
import { MAX_RANK } from "../../checkpoint/adapter/peft-config.ts";
import { dataSetSchema, type ModelTrainConfig, modelTrainConfigSchema } from "../model/model-train-config.ts";

const rankSchema = z.int().min(1).max(MAX_RANK);
const namedSchema = <Schema extends z.ZodType>(schema: Schema) => z.record(z.string().min(1), schema);

/** The defaults take all linears: on small models, style and things are in the image head as much as in the backbone. */
export const adapterSchema = z.strictObject({
  /** Numbers between the two matrices of each linear. */
  rank: rankSchema.default(8),
  /** What an adapter adds is multiplied by alpha / rank. */
  alpha: z.number().positive().default(8),
  /** By alpha / sqrt(rank) instead (arXiv 2312.03732). */
  rankStabilised: z.boolean().default(false),
  /** Probability with which each input of a linear is left out of the adapter's product while it is trained. */
  dropout: z.number().min(0).lt(1).default(0),
  /**
   * Names of linears, or what they end with behind a dot, such as "q_proj" or "layers.0.mlp.up_proj"; or a regular
   * expression that matches all of a name. Null: all linears of backbone and image head.
   */
  targets: z
    .union([z.array(z.string().min(1)).min(1), z.string().min(1)])
    .nullable()
    .default(null),
  /** Of linears that names stand for as in `targets`, the first that fits. */
  ranks: namedSchema(rankSchema).default({}),
  alphas: namedSchema(z.number().positive()).default({}),
});

export type AdapterSettings = z.infer<typeof adapterSchema>;

const adapterDataSetSchema = dataSetSchema
  .extend({
    /**
     * Its pictures are learnt as the base alone predicts them: of what it shows, the adapter then changes little. Without it, a
     * model's own pictures pull it towards what guidance made of them.
     */
    asBase: z.boolean().default(false),
    /**
     * How much errors of such pictures count, set against those of others. They are small, since the adapter begins as the base,
     * and hardly noisy, since the base answers the same noise.
     */
    asBaseWeight: z.number().positive().default(1),
  })
  .refine(({ asBase, asBaseWeight }) => asBase || asBaseWeight === 1, {
    path: ["asBaseWeight"],
    message: 'is for sets that are learnt "asBase"',
  });

export const adapterTrainConfigSchema = modelTrainConfigSchema
  .omit({ autoencoder: true, start: true, textTokenizer: true, model: true, muon: true, rates: true })
  .extend({
    /** Folder of the model that the adapter stands beside, in any format; its weights are not changed. */
    base: z.string().min(1),
    data: z.union([z.string().min(1), z.array(adapterDataSetSchema).min(1)]),
    /** Weight of the language loss; null: the base's. */
    lmLossWeight: z.number().min(0).nullable().default(null),
    adapter: adapterSchema.prefault({}),
    /** Refuses to begin what would take more memory than there is. */
    checkMemory: z.boolean().default(true),
  });

export type AdapterTrainConfig = z.infer<typeof adapterTrainConfigSchema>;

/** The same as a config of model training that starts from the base. */
export function asModelConfig({
  base,
  adapter: _adapter,
  checkMemory: _checkMemory,
  lmLossWeight,
  ...config
}: AdapterTrainConfig): ModelTrainConfig {
  const model = lmLossWeight === null ? {} : { lm_loss_weight: lmLossWeight };
  return { ...config, autoencoder: base, start: base, textTokenizer: null, model, muon: null, rates: {} };
}
