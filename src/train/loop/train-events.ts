/** @file What a training run tells its caller while it runs. */

export type TrainEvent =
  /** Something that the caller should know before the run starts, e.g. that an option is off. */
  | { readonly type: "note"; readonly step: number; readonly text: string }
  | {
      readonly type: "start";
      /** Updates done before: 0, or the checkpoint's when the run is continued. */
      readonly step: number;
      readonly steps: number;
      /** Trained elements. */
      readonly parameters: number;
    }
  | {
      readonly type: "step";
      /** Updates done. */
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
      readonly metrics: Readonly<Record<string, number>>;
      /** Factor of the learning rates. */
      readonly rateFactor: number;
      /** Learning rate of the optimizer's first group. */
      readonly rate: number;
      /** Before clipping. */
      readonly gradientNorm: number;
      /** Pictures trained on since the run was started first. */
      readonly images: number;
      readonly imagesPerSecond: number;
      readonly etaSeconds: number;
    }
  | {
      readonly type: "validation";
      readonly step: number;
      readonly metrics: Readonly<Record<string, number>>;
    }
  | {
      /** A sample was left out because it cannot be used. */
      readonly type: "faulty";
      readonly step: number;
      /** Tar, key and what is wrong. */
      readonly message: string;
      /** Faulty samples of its data set, found since this start, and samples in all. */
      readonly faulty: number;
      readonly samples: number;
    }
  | { readonly type: "samples"; readonly step: number; readonly path: string }
  | { readonly type: "checkpoint"; readonly step: number; readonly path: string }
  | {
      /** The best checkpoint so far by validation was kept. */
      readonly type: "best";
      readonly step: number;
      readonly metric: string;
      readonly value: number;
      readonly path: string;
    }
  | { readonly type: "end"; readonly step: number; readonly model: string };
