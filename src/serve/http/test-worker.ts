/** @file A worker of tests, and the pictures that it paints. */
import { setTimeout as pause } from "node:timers/promises";
import sharp from "sharp";
import { setPngTexts } from "../../formats/png-text.ts";
import { RECIPE_KEYWORD, RECIPE_VERSION, type Recipe } from "../../generate/recipe.ts";
import { PLAIN_SETTINGS } from "../../generate/settings.ts";
import type { DrawRequest, PixelSize } from "../contract/draw-request.ts";
import type { NewPicture } from "../contract/gallery.ts";
import type { ClaimedJob } from "../contract/job-queue.ts";
import type { MemoryQueue, MemoryStore } from "./test-rooms.ts";

/** A worker that paints squares of one colour, a row of tokens at a time. */
export class TestWorker implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #work: Promise<void>;
  /** Jobs that it holds. */
  readonly drawing = new Set<string>();
  /** Awaited before each row of a picture, from 1. */
  beforeRow: (row: number) => Promise<void> = async () => {};

  constructor(
    queue: MemoryQueue,
    store: MemoryStore,
    /** Milliseconds for a row. */
    readonly rowMs = 0,
  ) {
    this.#work = this.#run(queue, store);
  }

  /** Draws no row from `row` on until it may, by what this gives. */
  holdFrom(row: number): () => void {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.beforeRow = async (next) => (next < row ? undefined : released);
    return release;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }

  async #run(queue: MemoryQueue, store: MemoryStore): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const job = await queue.desk.claim("test", "square");
      if (job !== undefined) void this.#draw(job, store);
      else await queue.desk.wait(signal);
    }
  }

  async #draw(job: ClaimedJob, store: MemoryStore): Promise<void> {
    const { request, id } = job.record;
    this.drawing.add(id);
    try {
      if (request.prompt === "fail") {
        await job.fail({
          status: 400,
          message: "the prompt cannot be drawn",
          code: "bad_prompt",
          param: "prompt",
        });
        return;
      }
      if (request.prompt === "break") {
        await job.fail({ status: 500, message: "the engine broke", code: null, param: null });
        return;
      }
      const rows = request.native.height / 16;
      const columns = request.native.width / 16;
      const looks = request.previews === "rows" ? rows : request.previews;
      let number = 0;
      for (let row = 1; row <= rows; row++) {
        await this.beforeRow(row);
        await pause(this.rowMs);
        if (job.signal.aborted || this.#stop.signal.aborted) return;
        job.progress({ token: row * columns, of: rows * columns, rows: row, ofRows: rows, secondsLeft: 0 });
        if (Math.floor((row * looks) / rows) > number) {
          number++;
          const blobs = await Promise.all(
            Array.from({ length: request.count }, async () => store.put(await paint(request, 100 + number))),
          );
          await job.preview({ number, rows: row, blobs });
        }
      }
      const pictures = await Promise.all(
        Array.from({ length: request.count }, (_, index) => picture(request, index, store)),
      );
      await job.finish(pictures, {
        textTokens: 7,
        inputImageTokens: request.images.length * rows * columns,
        outputTokens: request.count * rows * columns,
      });
    } finally {
      this.drawing.delete(id);
    }
  }
}

async function picture(request: DrawRequest, index: number, store: MemoryStore): Promise<NewPicture> {
  const recipe = recipeOf(request, index);
  const png = setPngTexts(await paint(request, recipe.seed % 256), [
    { keyword: RECIPE_KEYWORD, text: JSON.stringify(recipe), kind: "iTXt" },
  ]);
  const unknown = request.prompt.includes("zeppelin");
  return {
    index,
    blob: await store.put(png),
    tokens: await store.put(new Uint8Array(4)),
    thumbnail: await store.put(Uint8Array.of(82, 73, 70, 70)),
    bytes: png.length,
    ...request.asked,
    recipe,
    notes: unknown
      ? [{ kind: "words", text: "not known: zeppelin", words: ["zeppelin"], closest: ["ship"] }]
      : [],
  };
}

function recipeOf({ prompt, seed, native, settings }: DrawRequest, index: number): Recipe {
  return {
    version: RECIPE_VERSION,
    model: "square",
    prompt,
    seed: seed + index,
    ...native,
    settings: { ...PLAIN_SETTINGS, ...settings },
  };
}

/** Pictures of one grey, by size: painting them is most of what the tests would wait for. */
const painted = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();

function paint({ asked }: { readonly asked: PixelSize }, shade: number): Promise<Uint8Array<ArrayBuffer>> {
  const name = `${asked.width} ${asked.height} ${shade % 4}`;
  const made = painted.get(name) ?? squarePng(asked, 60 * (shade % 4));
  painted.set(name, made);
  return made;
}

/** A PNG of one grey. */
export async function squarePng({ width, height }: PixelSize, shade = 128): Promise<Uint8Array<ArrayBuffer>> {
  const background = { r: shade, g: shade, b: shade };
  const png = await sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
  return new Uint8Array(png);
}
