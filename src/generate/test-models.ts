/** @file Models, sessions and slots for the tests of this room. */
import { fileURLToPath } from "node:url";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { tokenWidth } from "../model/config.ts";
import { defaultModelPath } from "../node/default-model.ts";
import { LocalEngine } from "../runtime/node/local-engine.ts";
import { buildPromptRows } from "../sequence/prompt.ts";
import { loadTokenizer } from "../sequence/tokenizer.ts";
import { Canvas } from "./canvas.ts";
import { DrawingOrder } from "./drawing-order.ts";
import { ModelSessions } from "./model-sessions.ts";
import { promptTokenRows } from "./prompt-rows.ts";
import { SharedLoop } from "./shared-loop.ts";
import { Slot, type SlotRequest } from "./slot.ts";
import { seededNoise } from "./token-noise.ts";

/** Folder of a tiny published-layout model: `v1`, `v1.1`, `train`; or `default`, the model of the package. */
export function testModelPath(name: string): string {
  if (name === "default") return defaultModelPath();
  return fileURLToPath(new URL(`../../test/parity/models/${name}`, import.meta.url));
}

/** Sessions of a model on an engine in this thread. Disposed together. */
export async function openTestSessions(
  name: string,
  threads = 1,
): Promise<{ sessions: ModelSessions } & AsyncDisposable> {
  const folder = await openModelFolder(new LocalFolder(testModelPath(name)));
  const engine = new LocalEngine({ threads });
  return {
    sessions: new ModelSessions(engine, folder),
    async [Symbol.asyncDispose]() {
      await engine[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

export interface TestSlotOptions extends Partial<Omit<SlotRequest, "rows" | "canvas" | "noise">> {
  /** Default [3, 4]. */
  readonly grid?: readonly [rows: number, columns: number];
  /** Default: none. */
  readonly rowLag?: number | null;
}

/** Slots of captions, slot i with seed `seeds[i]`; their rows without a condition are one object. */
export async function testSlots(
  sessions: ModelSessions,
  captions: readonly string[],
  seeds: readonly number[],
  { grid = [3, 4], rowLag = null, ...change }: TestSlotOptions = {},
): Promise<Slot[]> {
  const guidance = change.guidance ?? { cfg: 3, cfgImg: 1, schedule: "constant" };
  const prompt = buildPromptRows(await loadTokenizer(sessions.folder.files), {
    captions,
    images: null,
    imagesPerCaption: 1,
    positive: null,
    negative: "low quality",
    size: [grid[0] * 16, grid[1] * 16],
    cfg: guidance.cfg,
    cfgImg: 1,
    code: "P-B",
  });
  const rows = promptTokenRows(prompt, []);
  return captions.map(
    (_, picture) =>
      new Slot({
        sampler: "sde",
        solver: { steps: 4 },
        guidance,
        useNorm: false,
        name: `picture ${picture + 1}`,
        ...change,
        rows: rows.filter((_row, row) => row % captions.length === picture),
        canvas: new Canvas(
          prompt.grid,
          tokenWidth(sessions.folder.config),
          new DrawingOrder(prompt.grid, rowLag),
        ),
        noise: seededNoise(seeds[picture] as number),
      }),
  );
}

/** The same picture once more, nothing of it drawn yet. */
export function afresh(slot: Slot, change: Partial<SlotRequest> = {}): Slot {
  const { grid, width, order } = slot.canvas;
  return new Slot({ ...slot.request, canvas: new Canvas(grid, width, order), ...change });
}

/** The tokens of pictures that are drawn together, in raster order. */
export async function drawTogether(sessions: ModelSessions, slots: readonly Slot[]): Promise<Float32Array[]> {
  for await (const _ of new SharedLoop(sessions).draw(slots));
  return slots.map(({ canvas }) => canvas.cells());
}

/** Those of the same picture drawn by itself. */
export async function drawAlone(sessions: ModelSessions, slot: Slot): Promise<Float32Array> {
  const [tokens] = await drawTogether(sessions, [afresh(slot, { signal: undefined })]);
  return tokens as Float32Array;
}
