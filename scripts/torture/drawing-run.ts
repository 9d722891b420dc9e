/** @file A drawing of a few pictures that torture disturbs, and the pictures it must come to. */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { mustSucceed } from "./command.ts";
import { digestOf, filesBelow } from "./folder-digest.ts";
import type { Trials } from "./scenario.ts";

export const DRAWN = 4;

export class DrawingReference {
  /** Digest of each picture by its file name. */
  readonly digests: ReadonlyMap<string, string>;
  readonly milliseconds: number;
  readonly #args: readonly string[];

  private constructor(args: readonly string[], digests: ReadonlyMap<string, string>, milliseconds: number) {
    this.#args = args;
    this.digests = digests;
    this.milliseconds = milliseconds;
  }

  static async take(
    { workshop, folder }: Trials,
    { size = "128x96", count = DRAWN }: { readonly size?: string; readonly count?: number } = {},
  ): Promise<DrawingReference> {
    const settings = ["--size", size, "--steps", "2", "--threads", "1", "--model", workshop.drawingModel];
    const args = ["rain", "--seed", "1", "--count", String(count), ...settings];
    const out = join(folder, "reference");
    const started = performance.now();
    await mustSucceed([...args, "--out", out]);
    const milliseconds = performance.now() - started;
    const digests = new Map<string, string>();
    for (const name of await filesBelow(out)) digests.set(name, digestOf(await readFile(join(out, name))));
    return new DrawingReference(args, digests, milliseconds);
  }

  /** Arguments that draw the same pictures to a folder. */
  argsTo(out: string): string[] {
    return [...this.#args, "--out", out];
  }

  /** Names of the PNGs in a folder that are not the pictures that they are named after, whole. */
  async wrong(folder: string): Promise<string[]> {
    const wrong: string[] = [];
    for (const name of await filesBelow(folder)) {
      if (!name.endsWith(".png")) continue;
      // Names that were taken already get a number.
      const original = basename(name).replace(/^(rain-\d+)-\d+\.png$/, "$1.png");
      if (digestOf(await readFile(join(folder, name))) !== this.digests.get(original)) wrong.push(name);
    }
    return wrong;
  }
}
