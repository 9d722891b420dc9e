/** @file Pictures of weights in training: drawn, and decoded by the frozen autoencoder. */
import { decodePicture } from "../../generate/image-coder.ts";
import type { ModelSessions } from "../../generate/model-sessions.ts";
import type { NamedBuffer } from "../optimizer/trainable.ts";
import type { DrawingWeights } from "./drawing-weights.ts";
import type { DrawnPicture } from "./policy-gradient.ts";
import { drawRollouts, type RolloutSettings, type WantedPicture } from "./rollout.ts";

export class RolloutDrawer {
  readonly #weights: DrawingWeights;
  readonly #decoding: ModelSessions;
  readonly #settings: RolloutSettings;

  /** @param decoding sessions of the model, of which the decoder's alone is used and kept */
  constructor(weights: DrawingWeights, decoding: ModelSessions, settings: RolloutSettings) {
    this.#weights = weights;
    this.#decoding = decoding;
    this.#settings = settings;
  }

  /**
   * @param solverSteps that are kept of each rollout
   * @throws AbortedError; EngineError for numbers that are not finite
   */
  async draw(
    weights: readonly NamedBuffer[],
    wanted: readonly WantedPicture[],
    solverSteps: readonly number[],
    signal?: AbortSignal,
  ): Promise<DrawnPicture[]> {
    const rollouts = await this.#weights.with(weights, ({ sessions, adapters }) =>
      drawRollouts(sessions, wanted, this.#settings, { steps: solverSteps, adapters, signal }),
    );
    const drawn: DrawnPicture[] = [];
    for (const rollout of rollouts) {
      const { pixels } = await decodePicture(this.#decoding, rollout.tokens, rollout.grid, signal);
      drawn.push({ rollout, pixels });
    }
    return drawn;
  }
}
