/** @file A batch of training: rows of ids with the tokens of their pictures. */
import type { DrawingOrder } from "../../generate/drawing-order.ts";

/** One image of a batch as tokens in raster order. */
export interface BatchImage {
  /** Clean tokens [count * 64]: what is to be predicted. */
  readonly tokens: Float32Array;
  /** The tokens as the backbone reads them, same size; the clean ones unless they are corrupted on purpose. */
  readonly read: Float32Array;
  /** Whether the image loss counts it. */
  readonly predicted: boolean;
  /** In which it is learnt; raster order, without a mask of its own, unless given. */
  readonly order?: DrawingOrder | undefined;
}

/** Rows of one length. Positions that only fill a row up have the padding id and ignored labels. */
export interface TokenRows {
  readonly rows: number;
  readonly tokens: number;
  /** [rows * tokens] */
  readonly ids: Int32Array;
  /** [rows * tokens], -100 where the language loss looks away. */
  readonly labels: Int32Array;
  /** In the order of their placeholders: row by row, then along the row. */
  readonly images: readonly BatchImage[];
  /** [rows * tokens], which sample of its row a position belongs to; given when samples do not see each other. */
  readonly samples?: Int32Array;
}
