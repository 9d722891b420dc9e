/** @file `nextstep score PROMPT FILE...`: prints the scores of pictures. */
import { readImage } from "../files/decode-image.ts";
import { FileSource } from "../files/file-source.ts";
import { replaceFile } from "../files/replacement-file.ts";
import { nodeZlib } from "../files/zlib.ts";
import { printable } from "../formats/quoted.ts";
import type { Model } from "../generate/model.ts";
import type { PictureScore } from "../generate/score-picture.ts";
import { encodePng } from "../image/encode-png.ts";
import { heatMap } from "../image/heat-map.ts";
import { stretch } from "../image/resize.ts";
import { adapterChoices, adaptersToOpen } from "./adapter-options.ts";
import { openNamedModel } from "./model-options.ts";
import { checkWritable } from "./picture-file.ts";
import { progressLine } from "./progress-line.ts";
import type { ScoreCommandOptions } from "./score-options.ts";
import type { Terminal } from "./terminal.ts";

/** Significant digits of a loss: the noise is fixed, so that small differences count. */
const DIGITS = 5;

export async function runScore(
  prompt: string,
  files: readonly string[],
  options: ScoreCommandOptions,
  terminal: Terminal,
): Promise<void> {
  // A name that is mistyped is found before anything is loaded or printed.
  for (const file of files) await (await FileSource.open(file)).close();
  if (options.heatMap !== undefined) await checkWritable(options.heatMap);
  await using model = await openNamedModel(options, terminal, adaptersToOpen(options.adapter));
  const { times, seed, image: images } = options;
  const given = {
    signal: terminal.signal,
    ...adapterChoices(options.adapter),
    ...(times === undefined ? {} : { times }),
    ...(seed === undefined ? {} : { seed }),
    ...(images === undefined ? {} : { images }),
  };
  const line = progressLine(terminal);
  for (const [index, file] of files.entries()) {
    line.update("scoring", index, files.length);
    const score = await model.score(prompt, file, given).finally(() => line.hide());
    terminal.out.write(
      `${options.json === true ? JSON.stringify(jsonOf(file, score)) : lineOf(file, score)}\n`,
    );
    if (options.heatMap !== undefined) await writeHeatMap(options.heatMap, file, score, model);
  }
  line.clear();
}

function lineOf(file: string, { loss, unconditional, gain }: PictureScore): string {
  const text = (value: number): string => value.toPrecision(DIGITS);
  return `${printable(file)}: loss ${text(loss)}, without the prompt ${text(unconditional)}, explained by it ${text(gain)}`;
}

function jsonOf(file: string, { tokenLosses, tokenUnconditional, ...score }: PictureScore): unknown {
  return { file, ...score, tokenLosses: [...tokenLosses], tokenUnconditional: [...tokenUnconditional] };
}

async function writeHeatMap(
  path: string,
  source: string,
  { grid, tokenLosses }: PictureScore,
  { pixelsPerToken }: Model,
): Promise<void> {
  const read = await readImage(source);
  const shown = stretch(read, [grid[0] * pixelsPerToken, grid[1] * pixelsPerToken], "bicubic");
  const png = await encodePng(heatMap(shown, grid, tokenLosses), nodeZlib);
  await replaceFile(path, (file) => file.write(png));
}
