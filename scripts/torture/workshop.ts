/**
 * @file What the scenarios work on: pictures, data built of them, tiny runs of all kinds of training, and what each comes to
 * when nothing disturbs it.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nodeZlib } from "../../src/files/zlib.ts";
import { encodePng } from "../../src/image/encode-png.ts";
import { CounterRng } from "../../src/tensor/counter-rng.ts";
import { mustSucceed, PROJECT } from "./command.ts";
import { folderDigest } from "./folder-digest.ts";
import { SIDE, STARTS, type StageName, type TinyTrainingChange, tinyTraining } from "./tiny-training.ts";

const PICTURES = 24;
const COLOURS = ["red", "green", "blue"];
/** Scores a picture by its bytes: another picture, another number. */
const SCORER = `import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
for await (const path of createInterface({ input: process.stdin })) {
  console.log(readFileSync(path).reduce((sum, byte) => (sum + byte) % 1000, 0));
}
`;

/** What an undisturbed run comes to. */
export interface Reference {
  readonly model: string;
  readonly losses: string;
  /** Of the whole process. */
  readonly milliseconds: number;
}

export class Workshop {
  readonly folder: string;
  readonly #references = new Map<StageName, Reference>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(folder: string): Promise<Workshop> {
    const workshop = new Workshop(folder);
    await workshop.#drawPictures();
    await mustSucceed(["data", "build", workshop.pictures, workshop.data, "--held-out", "0.2"]);
    return workshop;
  }

  /** Folder of pictures with captions, and of pairs of them. */
  get pictures(): string {
    return join(this.folder, "pictures");
  }

  /** `train/` and `heldout/`. */
  get data(): string {
    return join(this.folder, "data");
  }

  /** Folder of a tiny model in the published layout, with which pictures are drawn in a second. */
  get drawingModel(): string {
    return join(PROJECT, "test", "parity", "models", "v1.1");
  }

  /** The run that nothing disturbs; taken when it is first asked for. */
  async reference(stage: StageName): Promise<Reference> {
    const known = this.#references.get(stage);
    if (known !== undefined) return known;
    const start = STARTS[stage];
    if (start !== undefined) await this.reference(start);
    const output = this.#referenceOf(stage);
    const started = performance.now();
    await mustSucceed(["train", stage, await this.writeConfig(stage, output)]);
    const reference = { ...(await this.resultOf(output)), milliseconds: performance.now() - started };
    this.#references.set(stage, reference);
    return reference;
  }

  async resultOf(output: string): Promise<Pick<Reference, "model" | "losses">> {
    const log = await readFile(join(output, "log.jsonl"), "utf8").catch(() => "");
    const losses = log.split("\n").flatMap((line) => {
      const event = line === "" ? {} : (JSON.parse(line) as { type?: string; step?: number; loss?: number });
      return event.type === "step" ? [`${event.step} ${event.loss}`] : [];
    });
    return { model: await folderDigest(join(output, "model")), losses: losses.join("\n") };
  }

  /** The result that a stage starts from, of a run that nothing disturbs; of the first stage, its own. */
  startOf(stage: StageName): string {
    return join(this.#referenceOf(STARTS[stage] ?? stage), "model");
  }

  /**
   * Writes `OUTPUT.json`.
   * @param change other places of what the run starts from.
   * @returns its path.
   */
  async writeConfig(
    stage: StageName,
    output: string,
    { keep, ...inputs }: TinyTrainingChange = {},
  ): Promise<string> {
    const places = {
      output,
      data: join(this.data, "train"),
      heldOut: join(this.data, "heldout"),
      pairs: this.pictures,
      reward: `command:"${process.execPath}" "${this.#scorer}"`,
      start: this.startOf(stage),
      ...inputs,
    };
    const path = `${output}.json`;
    await writeFile(path, JSON.stringify(tinyTraining(stage, places, keep), undefined, 2));
    return path;
  }

  get #scorer(): string {
    return join(this.folder, "scorer.mjs");
  }

  #referenceOf(stage: StageName): string {
    return join(this.folder, `reference-${stage}`);
  }

  async #drawPictures(): Promise<void> {
    await mkdir(this.pictures, { recursive: true });
    const rng = new CounterRng(1);
    for (let index = 0; index < PICTURES; index++) {
      const data = new Uint8Array(3 * SIDE * SIDE);
      for (let at = 0; at < data.length; at++) data[at] = at % 3 === index % 3 ? 200 : rng.below(60);
      const stem = join(this.pictures, `p${index}`);
      await writeFile(`${stem}.png`, await encodePng({ width: SIDE, height: SIDE, data }, nodeZlib));
      await writeFile(`${stem}.txt`, `a ${COLOURS[index % 3]} square, number ${index}`);
    }
    const pairs = COLOURS.flatMap((colour, index) =>
      Array.from({ length: 3 }, (_, place) => ({
        prompt: `a ${colour} square`,
        winner: `p${index + 3 * place}.png`,
        loser: `p${(index + 1) % 3}.png`,
      })),
    );
    await writeFile(join(this.pictures, "pairs.jsonl"), pairs.map((pair) => JSON.stringify(pair)).join("\n"));
    await writeFile(this.#scorer, SCORER);
  }
}
