/** @file A card from a made-up evaluation and log; a card with holes is not written. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { PLAIN_SETTINGS } from "../../generate/settings.ts";
import { testModelPath } from "../../generate/test-models.ts";
import type { Evaluation } from "../emoji/evaluation.ts";
import { type CardSources, writeCard } from "./card-files.ts";

let folder: string;
let target: string;
let sources: CardSources;

const EVALUATION: Evaluation = {
  version: 1,
  model: "default",
  sha256: "00",
  parameters: { transformer: 8_090_000, autoencoder: 2_220_000 },
  side: 256,
  settings: { drawing: PLAIN_SETTINGS, editing: PLAIN_SETTINGS },
  seed: 1,
  count: 40,
  date: "2026-01-01",
  seconds: 1000,
  rows: [
    {
      group: "3D singles",
      split: "seen",
      measure: "top-1 by net",
      unit: "share",
      model: { value: 0.9, low: 0.84, high: 0.94, count: 120 },
      floor: { value: 0.98, low: 0.95, high: 0.99, count: 120 },
    },
  ],
  leftOut: [],
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-card-"));
  target = join(folder, "published");
  await mkdir(join(folder, "runs", "ae"), { recursive: true });
  const event = (second: number, rest: object): string =>
    JSON.stringify({ time: new Date(1000 * second).toISOString(), ...rest });
  const lines = Array.from({ length: 41 }, (_, index) =>
    event(90 * index, { type: "step", step: index + 1, loss: 9 - index / 10, images: 16 * (index + 1) }),
  );
  lines.push(event(3600, { type: "validation", step: 41, metrics: { "psnr@0": 33, "ema/psnr@0": 34 } }));
  await writeFile(join(folder, "runs", "ae", "log.jsonl"), lines.join("\n"));
  await writeFile(
    join(folder, "stages.json"),
    JSON.stringify([{ name: "Autoencoder", what: "crops", log: "ae/log.jsonl", petaflops: 0.25 }]),
  );
  const credit = {
    style: "3D",
    set: "Set",
    author: "A. Uthor",
    authorUrl: "https://example.com",
    licence: "MIT",
  };
  await writeFile(
    join(folder, "CREDITS.json"),
    JSON.stringify([{ ...credit, package: "p", version: "1.0.0" }]),
  );
  sources = {
    template: join(folder, "card.md"),
    stages: join(folder, "stages.json"),
    runs: join(folder, "runs"),
    data: folder,
  };
  await cp(testModelPath("v1.1"), target, { recursive: true });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("fills the card and writes what it rests on", async () => {
  await writeFile(
    sources.template,
    "{{transformer}}; {{hours}} h, {{petaflops}} PFLOP\n{{stages}}\n{{credits}}\n{{row 3D singles / seen / top-1 by net}}",
  );
  await writeCard(target, EVALUATION, sources);
  const card = await readFile(join(target, "README.md"), "utf8");
  expect(card).toMatch(/^8\.09 M parameters, float16, \d\.\d MB; 1\.0 h, 0\.25 PFLOP\n/);
  expect(card).toContain("| Autoencoder | crops | 41 | 656 | 1.0 | 0.25 |");
  expect(card).toContain("| Set | 3D | MIT | A. Uthor (https://example.com) | p 1.0.0 |");
  expect(card).toContain("90.0 % (84.0 to 94.0; the autoencoder's copies 98.0 %; 120 pictures)");
  const names = await readdir(target);
  expect(names).toEqual(expect.arrayContaining(["curves.svg", "evaluation.json", "training.json", "vae"]));
  expect(await readFile(join(target, "curves.svg"), "utf8")).toContain("Autoencoder: psnr on held-out data");
  expect(JSON.parse(await readFile(join(target, "evaluation.json"), "utf8"))).toEqual(EVALUATION);
});

it("keeps what was written of a stage whose log is gone, and refuses one of which nothing was", async () => {
  await writeFile(sources.template, "{{stages}}");
  const stage = { name: "Autoencoder", what: "crops", petaflops: 0.25 };
  const gone = join(folder, "gone.json");
  await writeFile(gone, JSON.stringify([{ ...stage, log: null }]));
  await writeCard(target, EVALUATION, { ...sources, stages: gone });
  expect(await readFile(join(target, "README.md"), "utf8")).toContain("| crops | 41 | 656 | 1.0 | 0.25 |");
  expect(JSON.parse(await readFile(join(target, "training.json"), "utf8"))).toMatchObject([
    { name: "Autoencoder", summary: { steps: 41, validation: [{ step: 41 }] } },
  ]);
  await writeFile(gone, JSON.stringify([{ ...stage, name: "Transformer", log: null }]));
  await expect(writeCard(target, EVALUATION, { ...sources, stages: gone })).rejects.toThrow(
    'has no stage "Transformer"',
  );
});

it("refuses a card with a place that nothing fills, and leaves the old one", async () => {
  await writeFile(join(target, "README.md"), "old");
  for (const place of ["{{oops}}", "{{row 3D singles / seen / top-9}}"]) {
    await writeFile(sources.template, place);
    await expect(writeCard(target, EVALUATION, sources)).rejects.toThrow(ConfigError);
  }
  expect(await readFile(join(target, "README.md"), "utf8")).toBe("old");
});
