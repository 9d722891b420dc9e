/** @file What the doors of the server need to know of the model behind it. */
import type { DrawSettings } from "../../generate/settings.ts";
import type { TrainedOn } from "../../generate/trained-on.ts";
import type { PixelSize } from "./draw-request.ts";

export interface ServedModel {
  /** As `/v1/models` lists it: the folder's or repository's name. */
  readonly id: string;
  /** Names that clients hard-code and that mean this model; empty when switched off. */
  readonly aliases: readonly string[];
  /** Unix seconds. */
  readonly created: number;
  /** Pixels of a token's side. */
  readonly tokenSide: number;
  /** What it draws without being told; `editing` with input images. */
  readonly defaults: { readonly drawing: DrawSettings; readonly editing: DrawSettings };
  /** Its own square. */
  readonly size: PixelSize;
  readonly trained: TrainedOn;
  /** Names of the adapters that requests may ask for. Default: none. */
  readonly adapters?: readonly string[];
  /** Whether it was trained to edit, think and caption, as far as its folder says. */
  readonly abilities: { readonly edit: boolean; readonly think: boolean };
}
