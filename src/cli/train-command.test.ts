/** @file Settings on the training command line, and what a dry run prints. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Command } from "commander";
import { afterEach, beforeEach, expect, it } from "vitest";
import { nodeZlib } from "../files/zlib.ts";
import { encodePng } from "../image/encode-png.ts";
import { SampleWriter } from "../train/data/sample-writer.ts";
import type { Terminal } from "./terminal.ts";
import { addTrainCommands } from "./train-command.ts";

let folder: string;
let config: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-train-command-"));
  config = join(folder, "config.json");
  const json = {
    output: join(folder, "run"),
    data: join(folder, "data"),
    resolution: 16,
    autoencoder: { ch: 4, ch_mult: [1, 2], num_res_blocks: 1, num_groups: 2, z_channels: 4, psz: 2 },
    phases: [{ crop: 8, batch: 2, steps: 2 }],
    loop: { saveEvery: 0, validateEvery: 0, sampleEvery: 0 },
    engine: { threads: 1 },
  };
  await writeFile(config, JSON.stringify(json));
});
afterEach(() => rm(folder, { recursive: true }));

async function writeData(): Promise<void> {
  await using writer = new SampleWriter(join(folder, "data"), 4);
  for (let index = 0; index < 3; index++) {
    const data = new Uint8Array(3 * 16 * 16).fill(80 * index);
    const bytes = await encodePng({ width: 16, height: 16, data }, nodeZlib);
    await writer.add(`p${index}`, { caption: "grey" }, [{ bytes, extension: "png" }]);
  }
  await writer.close();
}

/** Runs `nextstep train autoencoder` with these arguments; gives what it prints to standard output. */
async function train(...args: readonly string[]): Promise<string> {
  let out = "";
  const terminal: Terminal = {
    in: Readable.from([]),
    out: { write: (text: string) => (out += text) },
    err: { write: () => undefined },
    environment: {},
    signal: new AbortController().signal,
  };
  const program = new Command("nextstep").exitOverride().configureOutput({ writeErr: () => undefined });
  addTrainCommands(program, terminal);
  for (const stage of program.commands[0]!.commands) {
    stage.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  await program.parseAsync(["train", "autoencoder", config, ...args], { from: "user" });
  return out;
}

it("takes settings, and refuses those that are none by name", async () => {
  await expect(train("--set", "batch")).rejects.toThrow(/--set .*"batch" is not KEY\.PATH=VALUE/);
  await expect(train("--set", "phases.0.size=3")).rejects.toThrow('unknown key "phases.0.size"');
  await expect(train("--set", "seed=1", "--set", "seed=x")).rejects.toThrow(/seed: .*expected number/);
});

it("tells what a run would take, and leaves no trace", async () => {
  await writeData();
  const text = await train("--dry-run", "--set", "phases.0.steps=1000");
  expect(text).toMatch(/^parameters {2}0\.0\d M$/m);
  expect(text).toMatch(/^steps {7}1,000$/m);
  expect(text).toMatch(/^data {8}3 samples, 3 pictures, each seen 666\.7 times$/m);
  expect(text).toMatch(/^memory {6}about [\d.]+ [MG]B at most/m);
  expect(text).toMatch(/^time {8}about \w+: [\d.e-]+ s a step \(mean of \d\)/m);
  const json = JSON.parse(await train("--dry-run", "--json")) as Record<string, unknown>;
  expect(json).toMatchObject({ steps: 2, done: 0, pictures: 3, perStep: { pictures: 2, pixels: 128 } });
  expect((await readdir(folder)).sort()).toEqual(["config.json", "data"]);
});
