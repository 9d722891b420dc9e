/** @file By which figure a checkpoint is the best one so far: `training/best.json` in it. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { ModelFormatError } from "../../errors.ts";
import { replaceText } from "../../files/replacement-file.ts";

const bestFigureSchema = z.strictObject({
  step: z.int().min(0),
  /** Name of the figure of validation. */
  metric: z.string(),
  value: z.number(),
});

export type BestFigure = z.infer<typeof bestFigureSchema>;

export async function writeBestFigure(path: string, figure: BestFigure): Promise<void> {
  await replaceText(path, `${JSON.stringify(figure)}\n`);
}

/** @throws ModelFormatError when it is no such file. */
export async function readBestFigure(path: string): Promise<BestFigure> {
  try {
    return bestFigureSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw new ModelFormatError("does not say by which figure the checkpoint is the best", {
      where: path,
      cause,
    });
  }
}
