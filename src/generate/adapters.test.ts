/** @file Adapters beside the model: the numbers of PEFT, and pictures whose bits do not depend on their company. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Adapter, readAdapter } from "../checkpoint/adapter/adapter-folder.ts";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { openSafetensors } from "../files/safetensors-files.ts";
import { type AdapterLinear, adaptableLinears, type LinearShape } from "../model/adapter.ts";
import { mergeAdapters } from "../node/merge-adapters.ts";
import { nodePlatform } from "../node/platform.ts";
import { LocalEngine } from "../runtime/node/local-engine.ts";
import { CounterRng } from "../tensor/counter-rng.ts";
import { toFloat32 } from "../tensor/tensor.ts";
import { type AdapterMix, mixOf } from "./adapter-mix.ts";
import { ModelSessions } from "./model-sessions.ts";
import type { Slot } from "./slot.ts";
import { afresh, drawAlone, drawTogether, testModelPath, testSlots } from "./test-models.ts";

const FIXTURES = fileURLToPath(new URL("../../test/adapters", import.meta.url));
const MODEL = "v1.1";
const platform = { sha256: nodePlatform.sha256 };

/** Beside all linears, or some. */
function randomAdapter(
  shapes: readonly LinearShape[],
  seed: number,
  rank: number,
  wanted: (name: string) => boolean = () => true,
): Adapter {
  const linears = shapes
    .filter(({ name }) => wanted(name))
    .map((shape, index): AdapterLinear => {
      const rng = new CounterRng(seed * 1000 + index);
      const down = rng
        .fillNormal(new Float32Array(rank * shape.inputs))
        .map((v) => v / Math.sqrt(shape.inputs));
      const up = rng.fillNormal(new Float32Array(rank * shape.outputs)).map((v) => 0.1 * v);
      return { ...shape, rank, scale: 0.7, down, up };
    });
  return { name: `random-${seed}`, path: "", digest: String(seed).padStart(64, "0"), linears };
}

async function openSessions(
  make: (
    shapes: readonly LinearShape[],
  ) => Promise<ReadonlyMap<string, Adapter>> | ReadonlyMap<string, Adapter>,
  path = testModelPath(MODEL),
) {
  const folder = await openModelFolder(new LocalFolder(path));
  const engine = new LocalEngine({ threads: 1 });
  const adapters = await make(adaptableLinears(folder.parameters));
  return {
    sessions: new ModelSessions(engine, folder, undefined, adapters),
    async [Symbol.asyncDispose]() {
      await engine[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function withMix(slot: Slot, mix: AdapterMix | undefined): Slot {
  return afresh(slot, { rows: slot.request.rows.map((row) => ({ ...row, adapters: mix })) });
}

function mostApart(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

describe("an adapter of PEFT", () => {
  it.each(["none", "plain", "stabilised", "both"])("gives the hidden states of PEFT: %s", async (name) => {
    const names = name === "none" ? [] : name === "both" ? ["plain", "stabilised"] : [name];
    await using open = await openSessions(async (shapes) => {
      const read = async (own: string) =>
        readAdapter(new LocalFolder(join(FIXTURES, own)), shapes, platform.sha256);
      return new Map([
        ["plain", await read("plain")],
        ["stabilised", await read("stabilised")],
      ]);
    });
    const { sessions } = open;
    const expected = await openSafetensors(join(FIXTURES, "expected.safetensors"));
    const ids = [...toFloat32(await expected.readTensor("ids"))];
    const hidden = toFloat32(await expected.readTensor(`${name}.hidden`));
    await expected.close();
    const mix = mixOf(
      sessions.adapters,
      names.map((own) => ({ name: own })),
    );
    await using cached = await sessions.cachedRows(1);
    const all = ids.map((_, place) => place);
    const states = await cached.append([
      { ids, adapters: mix, layout: { places: all, sees: () => true, picks: all, passing: 0 } },
    ]);
    // Sums in another order than PyTorch's; the largest of these numbers are about 4.
    expect(mostApart(states, hidden)).toBeLessThan(1e-5);
  });
});

describe("adapters of a batch", () => {
  /** More than the head does in a run: in those behind the first, no hidden states are given. */
  const solver = { steps: 6 };
  const both = (shapes: readonly LinearShape[]) =>
    new Map([
      ["wide", randomAdapter(shapes, 1, 12)],
      ["narrow", randomAdapter(shapes, 2, 3)],
      ["backbone", randomAdapter(shapes, 3, 4, (name) => name.startsWith("layers."))],
      ["head", randomAdapter(shapes, 4, 4, (name) => name.startsWith("image_head."))],
    ]);
  const CHOICES: readonly (readonly { name: string; scale?: number }[])[] = [
    [],
    [{ name: "narrow" }],
    [{ name: "wide" }],
    [
      { name: "narrow", scale: 0.5 },
      { name: "wide", scale: -1 },
    ],
    [{ name: "backbone" }],
    [{ name: "head" }],
  ];

  it("give each picture the bits that it has alone, and without any, those of the model", async () => {
    await using open = await openSessions(both);
    await using plain = await openSessions(() => new Map());
    const { sessions } = open;
    const captions = CHOICES.map((_, index) => `picture ${index % 2}`);
    const slots = await testSlots(
      sessions,
      captions,
      captions.map((_, index) => index),
      { solver },
    );
    const mixed = slots.map((slot, index) => withMix(slot, mixOf(sessions.adapters, CHOICES[index] ?? [])));
    // Narrow ones alone first: the tables are of another rank then.
    const alone: Float32Array[] = [];
    for (const slot of mixed) alone.push(await drawAlone(sessions, slot));
    const together = await drawTogether(
      sessions,
      mixed.map((slot) => afresh(slot)),
    );
    together.forEach((tokens, index) => {
      expect(tokens, `picture ${index}`).toEqual(alone[index]);
    });
    expect(together[0]).toEqual(await drawAlone(plain.sessions, slots[0] as Slot));
    for (const tokens of together.slice(1))
      expect(mostApart(tokens, together[0] as Float32Array)).toBeGreaterThan(1e-3);
  });

  it("give a picture that goes on the bits that it would have had", async () => {
    await using open = await openSessions(both);
    const { sessions } = open;
    const [plain] = await testSlots(sessions, ["picture"], [5], { solver });
    const slot = withMix(plain as Slot, mixOf(sessions.adapters, [{ name: "wide" }]));
    const whole = await drawAlone(sessions, slot);
    const resumed = afresh(slot);
    const { canvas } = resumed;
    for (let cell = 0; cell < 5; cell++) {
      canvas.force(cell, whole.subarray(cell * canvas.width, (cell + 1) * canvas.width));
    }
    const [tokens] = await drawTogether(sessions, [resumed]);
    expect(tokens).toEqual(whole);
  });

  it("draw what merged weights draw", async () => {
    await using open = await openSessions(both);
    const { sessions } = open;
    const mix = mixOf(sessions.adapters, [{ name: "wide", scale: 0.5 }]);
    const target = await mkdtemp(join(tmpdir(), "nextstep-merged-"));
    try {
      await mergeAdapters(sessions.folder, mix?.parts ?? [], target);
      await using merged = await openSessions(() => new Map(), target);
      const [slot] = await testSlots(sessions, ["picture"], [5], { solver });
      const adapted = await drawAlone(sessions, withMix(slot as Slot, mix));
      // Rounding grows along the tokens, each of which is drawn from those before.
      const difference = mostApart(adapted, await drawAlone(merged.sessions, slot as Slot));
      expect(difference).toBeLessThan(1e-4);
    } finally {
      await rm(target, { recursive: true });
    }
  });
});
