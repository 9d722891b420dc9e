/** @file Runs `nextstep convert`. */
import { type Conversion, convertModel } from "../convert/convert-model.ts";
import { isQuantizedByOthers, repackModel } from "../convert/repack-model.ts";
import { folderShards } from "../convert/shard-source.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { formatBytes } from "../hub/format-bytes.ts";
import { resolveModel } from "../hub/resolve-model.ts";
import { progressLine } from "./progress-line.ts";
import { formatDuration } from "./progress-stream.ts";
import type { Terminal } from "./terminal.ts";

export interface ConvertSettings {
  readonly bits: 4 | 8;
  readonly threads?: number;
  readonly json?: true;
}

/**
 * Converts the folder, or the repository in the cache, `source` into the folder `out`; weights that others quantized
 * keep their integers.
 * @throws as {@link convertModel} and {@link repackModel} do.
 */
export async function runConvert(
  source: string,
  out: string,
  { bits, threads, json }: ConvertSettings,
  terminal: Terminal,
): Promise<void> {
  const line = progressLine(terminal);
  const started = performance.now();
  const folder = await resolveModel(source, terminal.environment);
  const files = new LocalFolder(folder);
  if (await isQuantizedByOthers(files)) {
    const onProgress = (matrices: { readonly done: number; readonly total: number }): void =>
      line.update("repacking matrices", matrices.done, matrices.total);
    try {
      const layout = await repackModel({ files, target: out, bits, signal: terminal.signal, onProgress });
      line.clear();
      const text = `${out} holds the weights of ${source} (${layout}) as they were, in this program's blocks`;
      terminal.out.write(`${json === true ? JSON.stringify({ out, layout }) : text}\n`);
    } finally {
      line.clear();
    }
    return;
  }
  const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
  try {
    const done = await convertModel({
      name: source,
      files,
      shards: folderShards(folder),
      target: out,
      bits,
      ...(threads === undefined ? {} : { threads }),
      signal: terminal.signal,
      onProgress: (bytes) => line.update("converting MB", megabytes(bytes.done), megabytes(bytes.total)),
    });
    line.clear();
    const seconds = (performance.now() - started) / 1000;
    terminal.out.write(
      `${json === true ? JSON.stringify({ ...done, seconds }) : conversionText(done, seconds)}\n`,
    );
  } finally {
    line.clear();
  }
}

/** What a conversion came to, for people. */
export function conversionText({ sourceBytes, bytes, folder, errors }: Conversion, seconds: number): string {
  const rows = Object.entries(errors).map(
    ([pattern, error]) => `  ${(100 * error).toFixed(2).padStart(6)} %  ${pattern}`,
  );
  return [
    `${formatBytes(sourceBytes)} became ${formatBytes(bytes)} in ${folder}, in ${formatDuration(seconds)}`,
    "Relative error by kind of weight:",
    ...rows,
  ].join("\n");
}
