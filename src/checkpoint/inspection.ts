/** @file What `nextstep inspect` finds out about a path: one form for each kind of thing it can be. */
import type { PictureFormat } from "../image/picture-format.ts";
import type { ImageSize } from "../image/pixels.ts";
import type { AutoencoderConfig } from "../model/autoencoder-config.ts";
import type { NextStepConfig, Release } from "../model/config.ts";
import { type Problem, refuseFatal } from "./problem.ts";
import type { StoredFormat } from "./quantized/stored-formats.ts";
import type { ListedTensor, PartCount } from "./tensor-listing.ts";

interface Weights {
  readonly tensors: readonly ListedTensor[];
  readonly parts: readonly PartCount[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** A weight file, or the shards behind an index. */
export interface WeightsInspection extends Weights {
  readonly kind: "safetensors" | "safetensors index" | "torch archive";
  readonly path: string;
  readonly problems: readonly Problem[];
}

export interface AutoencoderInspection extends Weights {
  readonly kind: "autoencoder";
  readonly path: string;
  readonly weightFile: string;
  readonly config: AutoencoderConfig;
  readonly problems: readonly Problem[];
}

export interface TrainingInspection {
  /** [height, width] in pixels. */
  readonly sizes?: readonly ImageSize[];
  readonly subjects?: readonly string[];
  /** How many words its captions held. */
  readonly words?: number;
}

/** What drawing one picture of the model's own size takes, by estimate; bytes of the whole process at most. */
export interface MemoryInspection {
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  /** Whether weights are repacked while they are bound, which takes more than they do afterwards. */
  readonly repacked: boolean;
  /** While the transformer's weights are bound, and while it is drawn and decoded. */
  readonly opening: number;
  readonly drawing: number;
  /** The larger of the two. */
  readonly peak: number;
}

export interface ModelInspection extends Weights {
  readonly kind: "model";
  readonly path: string;
  readonly release: Release;
  readonly config: NextStepConfig;
  readonly hasImageModules: boolean;
  /** How matrices in blocks are stored; undefined when all weights are floats. */
  readonly quantization:
    | {
        readonly layout: string;
        readonly formats: readonly StoredFormat[];
        /** Modules whose matrices are floats all the same; `*` stands for the number of a layer. */
        readonly floats: readonly string[];
      }
    | undefined;
  /** Ids that the tokenizer can give, and its bos_token; undefined if it cannot be read. */
  readonly tokenizer: { readonly size: number; readonly bosToken: string | null } | undefined;
  readonly autoencoder: AutoencoderInspection | undefined;
  /** What it was trained on, where its folder says so. */
  readonly trained?: TrainingInspection;
  /** Undefined for what cannot draw. */
  readonly memory?: MemoryInspection;
  readonly problems: readonly Problem[];
}

/** A config.json by itself. */
export interface ConfigInspection {
  readonly kind: "config";
  readonly path: string;
  readonly of: "model" | "autoencoder";
  readonly config: NextStepConfig | AutoencoderConfig;
  readonly problems: readonly Problem[];
}

/** JSON of another kind: a recipe, settings, a training config, a file of a tokenizer. */
export interface JsonInspection {
  readonly kind: "json";
  readonly path: string;
  /** What it is, e.g. `recipe`. */
  readonly of: string;
  readonly content: object;
}

export interface TarInspection {
  readonly kind: "tar";
  readonly path: string;
  readonly members: number;
  readonly bytes: number;
  /** Files by extension. */
  readonly extensions: Readonly<Record<string, number>>;
  readonly samples: number;
  readonly pictures: number;
  /** Keys of the first samples. */
  readonly firstKeys: readonly string[];
}

export interface PictureInspection {
  readonly kind: "picture";
  readonly format: PictureFormat;
  readonly path: string;
  /** As decoded: upright. */
  readonly width: number;
  readonly height: number;
  /** What the text that galleries read says. */
  readonly parameters:
    | {
        readonly prompt: string;
        readonly negativePrompt: string;
        readonly settings: Readonly<Record<string, string>>;
      }
    | undefined;
  /** This program's own recipe, as JSON; undefined if there is none. */
  readonly recipe: unknown;
  /** IPTC digital source type, if the picture states one. */
  readonly sourceType: string | undefined;
  /** Keywords of all texts. */
  readonly texts: readonly string[];
  readonly problems: readonly Problem[];
}

export type Inspection =
  | WeightsInspection
  | AutoencoderInspection
  | ModelInspection
  | ConfigInspection
  | JsonInspection
  | TarInspection
  | PictureInspection;

/** All findings, the autoencoder's behind the model's. */
export function problemsOf(inspection: Inspection): readonly Problem[] {
  if (!("problems" in inspection)) return [];
  const nested = inspection.kind === "model" ? (inspection.autoencoder?.problems ?? []) : [];
  return [...inspection.problems, ...nested];
}

/**
 * Passes what can be used.
 * @throws ModelFormatError with reason and remedy in one line for a folder that could not be opened as a model.
 */
export function refuseUnusable(inspection: Inspection): void {
  refuseFatal(problemsOf(inspection), inspection.path);
}
