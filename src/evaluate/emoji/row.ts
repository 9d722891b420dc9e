/** @file A line of the evaluation: a measure of drawn pictures beside the same measure of the autoencoder's copies. */
import type { RgbImage } from "../../image/pixels.ts";
import type { Estimate } from "../estimate.ts";

/** Of what an estimate is: shares 0 to 1, decibels, levels of 255, ratios to the real picture, squared distances. */
export type Unit = "share" | "decibels" | "levels" | "ratio" | "distance";
export type Split = "seen" | "held-out";

export interface Row {
  readonly measure: string;
  /** Which pictures, e.g. "3D" or "mirror". */
  readonly group: string;
  /** Whether training shows them. */
  readonly split: Split;
  readonly unit: Unit;
  readonly model: Estimate;
  /** The same of the autoencoder's own copies of the real pictures: no drawing can be expected to do better. */
  readonly floor: Estimate | null;
}

/** A picture that was drawn, the real one that it is to show, and the autoencoder's copy of that. All of one size. */
export interface Judged<Item> {
  readonly item: Item;
  readonly drawn: RgbImage;
  readonly real: RgbImage;
  readonly copy: RgbImage;
}

/** Where rows come from. */
export interface Heading {
  readonly group: string;
  readonly split: Split;
}

/** One of the two pictures that are judged alike. */
export type Choose<Item> = (judged: Judged<Item>) => RgbImage;

/** A measure of the drawings, and of the copies. Undefined where it can say nothing of either. */
export async function rowOf<Item>(
  { group, split }: Heading,
  measure: string,
  unit: Unit,
  estimate: (pick: Choose<Item>) => Estimate | undefined | Promise<Estimate | undefined>,
): Promise<Row[]> {
  const model = await estimate(({ drawn }) => drawn);
  if (model === undefined) return [];
  const floor = await estimate(({ copy }) => copy);
  return [{ measure, group, split, unit, model, floor: floor ?? null }];
}
