/** @file What is left out of or put into the recipe of the default model, one at a time, to see what it is good for. */

export interface Ablation {
  readonly name: string;
  /** Settings of `configs/ablation.json` that differ, as `--set` takes them. Without any, the base is drawn otherwise. */
  readonly training: readonly string[];
  /** Settings of drawing that differ, as `compare-settings` takes them. */
  readonly drawing: Readonly<Record<string, number | string>>;
}

const trained = (name: string, ...training: string[]): Ablation => ({ name, training, drawing: {} });
const drawn = (name: string, drawing: Ablation["drawing"]): Ablation => ({ name, training: [], drawing });

export const ABLATIONS: readonly Ablation[] = [
  trained("head-batch-8", "model.fm_head_batch_mul=8"),
  trained("larger-head", "model.fm_head_layers=6"),
  trained("no-noise", "readNoise=0"),
  trained("half-noise", "readNoise=0.5"),
  trained("no-swap", "swapTokens=0"),
  trained("half-swap", "swapTokens=0.2"),
  drawn("guidance-1", { cfg: 1 }),
  drawn("guidance-2.5", { cfg: 2.5 }),
  drawn("guidance-4", { cfg: 4 }),
  drawn("time-shift-2", { shift: 2 }),
  drawn("time-shift-0.5", { shift: 0.5 }),
];
