/** @file What `nextstep learn` makes: drawn with on the command line and over HTTP, merged, refused where it cannot be. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readImage } from "../files/decode-image.ts";
import { nodeZlib } from "../files/zlib.ts";
import { testModelPath } from "../generate/test-models.ts";
import { encodePng } from "../image/encode-png.ts";
import { runDraw } from "./draw.ts";
import { addLearnCommands } from "./learn-command.ts";
import { runServe } from "./serve.ts";
import { testTerminal } from "./test-terminal.ts";

const MODEL = testModelPath("v1.1");
const SIDE = 32;
const DRAWN = {
  preview: false,
  threads: 1,
  steps: 2,
  cfg: 1,
  seed: 3,
  size: { width: SIDE, height: SIDE },
  model: MODEL,
};

let root = "";
let learnt = "";
let told = "";

async function run(...args: readonly string[]): Promise<string> {
  const terminal = testTerminal();
  const program = new Command("nextstep").exitOverride();
  addLearnCommands(program, terminal);
  for (const command of program.commands)
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  await program.parseAsync(args, { from: "user" });
  return terminal.written.out() + terminal.written.err();
}

async function drawn(name: string, change: Partial<Parameters<typeof runDraw>[1]>): Promise<Uint8Array> {
  const out = join(root, `${name}.png`);
  const refuse = (complaint: string | undefined): void => expect(complaint).toBeUndefined();
  await runDraw(
    ["my mug"],
    { ...DRAWN, out: { kind: "file", path: out }, ...change },
    testTerminal(),
    refuse,
  );
  return (await readImage(out)).data;
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-learn-"));
  await mkdir(join(root, "pictures"));
  for (let index = 0; index < 8; index++) {
    const data = new Uint8Array(3 * SIDE * SIDE).fill(20 * index + 60);
    const png = await encodePng({ width: SIDE, height: SIDE, data }, nodeZlib);
    await writeFile(join(root, "pictures", `p${index}.png`), png);
  }
  await writeFile(join(root, "pictures", "p0.txt"), "a cup on a table");
  await writeFile(join(root, "pictures", "p8.png"), "no picture");
  learnt = join(root, "mug");
  const settings = ["--word", "my mug", "--out", learnt, "--steps", "3", "--model", MODEL, "--threads", "1"];
  told = await run("learn", join(root, "pictures"), ...settings);
}, 240_000);
afterAll(() => rm(root, { recursive: true, force: true }));

describe("nextstep learn", () => {
  it("says what it learns from and how the thing is drawn, and leaves an adapter alone behind", async () => {
    expect(told).toMatch(/8 pictures, 1 with captions of their own/);
    expect(told).toMatch(/note: left out p8\.png: /);
    expect(told).toMatch(/note: the caption of p0\.png does not say "my mug"/);
    expect(told).toContain(`draw it with: nextstep 'my mug' --adapter '${learnt}' --model '${MODEL}'`);
    expect(told).not.toContain(".learning");
    expect((await readdir(learnt)).sort()).toEqual([
      "adapter_config.json",
      "adapter_model.safetensors",
      "nextstep.json",
    ]);
  });

  it("draws as the merged model does, and otherwise than the base", async () => {
    const adapted = await drawn("adapted", { adapter: [{ path: learnt }] });
    expect(adapted).not.toEqual(await drawn("plain", {}));
    expect(await run("merge", MODEL, join(root, "merged"), "--adapter", learnt)).toContain("merged");
    const merged = await drawn("merged-drawn", { model: join(root, "merged") });
    // Adding before the product rounds otherwise than adding behind it.
    const most = merged.reduce((max, value, at) => Math.max(max, Math.abs(value - adapted[at]!)), 0);
    expect(most).toBeLessThanOrEqual(2);
  });

  it("is drawn with over HTTP where a request names it, and refused by name where there is none", async () => {
    const ending = new AbortController();
    const terminal = testTerminal({ signal: ending.signal });
    const ended = runServe(
      {
        ...{ host: "127.0.0.1", port: 0, model: MODEL, threads: 1, maxBatch: 2, maxQueued: 4 },
        ...{ maxTokensPerImage: 64, aliases: true, drainSeconds: 10, log: "json" },
        ...{ store: join(root, "store"), adapter: [{ name: "mug", path: learnt }] },
      },
      { opensPage: false },
      terminal,
    );
    try {
      await Promise.race([expect.poll(terminal.written.out, { timeout: 50_000 }).toContain("\n"), ended]);
      const [, url] = /(http:\S+)/.exec(terminal.written.out()) ?? [];
      const ask = async (adapters: readonly string[]) => {
        const body = { prompt: "my mug", size: `${SIDE}x${SIDE}`, steps: 2, cfg: 1, seed: 3, adapters };
        const answer = await fetch(`${url}/v1/images/generations`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        });
        return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
      };
      const pictureOf = async (name: string, { json }: Awaited<ReturnType<typeof ask>>) => {
        const [first] = json.data as { readonly b64_json: string }[];
        const path = join(root, name);
        await writeFile(path, Buffer.from(first!.b64_json, "base64"));
        return (await readImage(path)).data;
      };
      expect(await pictureOf("served.png", await ask(["mug"]))).toEqual(
        await drawn("again", { adapter: [{ path: learnt }] }),
      );
      expect(await pictureOf("served-plain.png", await ask([]))).toEqual(await drawn("plain again", {}));
      const refused = await ask(["cup"]);
      expect(refused.status).toBe(400);
      expect(JSON.stringify(refused.json)).toMatch(/cup/);
    } finally {
      ending.abort();
      await ended;
    }
  }, 120_000);

  it("refuses a folder of too few pictures and an adapter that is there, and leaves nothing", async () => {
    const few = join(root, "few");
    await mkdir(few);
    await writeFile(join(few, "one.png"), await readFile(join(root, "pictures", "p1.png")));
    const base = ["--model", MODEL, "--threads", "1"];
    await expect(run("learn", few, "--word", "x", "--out", join(root, "x"), ...base)).rejects.toThrow(
      /holds 1 pictures/,
    );
    await expect(run("learn", few, "--word", "x", "--out", learnt, ...base)).rejects.toThrow(
      /holds an adapter already/,
    );
  });
});
