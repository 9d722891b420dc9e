/** @file What `nextstep inspect` passes and refuses: what drawing would take, within the same bounds. */
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NextStepError } from "../errors.ts";
import { MAX_PIXELS } from "../files/decode-image.ts";
import { writePngChunks } from "../formats/png.ts";
import { setPngTexts } from "../formats/png-text.ts";
import { runInspect } from "./inspect.ts";
import { testTerminal } from "./test-terminal.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MODELS = join(ROOT, "test/parity/models");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-inspect-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What is printed, and the one line of the error behind it. */
async function inspect(path: string, json = false): Promise<{ out: string; fault: string | undefined }> {
  const terminal = testTerminal();
  try {
    await runInspect(path, json, terminal);
    return { out: terminal.written.out(), fault: undefined };
  } catch (error) {
    if (!(error instanceof NextStepError)) throw error;
    expect(error.message).toMatch(/^[^\n]*\([^\n]+\)$/);
    return { out: terminal.written.out(), fault: error.message };
  }
}

async function inspectBytes(name: string, bytes: Uint8Array | string): ReturnType<typeof inspect> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return inspect(path);
}

/** A PNG whose header may promise anything. */
function png(width: number, height: number, rows: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const pixels = deflateSync(Buffer.alloc(rows * (1 + 3 * Math.min(width, 64))));
  return writePngChunks([
    { type: "IHDR", data: header },
    { type: "IDAT", data: pixels },
    { type: "IEND", data: new Uint8Array(0) },
  ]);
}

describe("pictures", () => {
  it.each(["jpeg", "webp", "gif", "tiff", "avif", "png"] as const)("are described: %s", async (format) => {
    const picture = sharp({ create: { width: 30, height: 20, channels: 3, background: "#f00" } });
    const { out, fault } = await inspectBytes(`picture.${format}`, await picture.toFormat(format).toBuffer());
    expect(fault).toBeUndefined();
    expect(out).toMatch(/(?:JPEG|WebP|GIF|TIFF|AVIF or HEIF|PNG) picture, 30 x 20/);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["promises rows that are not there", png(40, 40, 4), /cannot be decoded/],
    ["has a side of 0", png(0, 4, 4), /cannot be decoded/],
    ["has too many pixels", png(60_000, 60_000, 1), new RegExp(`60000x60000 is more than ${MAX_PIXELS}`)],
    ["is a header alone", png(4, 4, 4).subarray(0, 33), /cannot be decoded/],
  ])("are refused: one that %s", async (_what, bytes, message) => {
    expect((await inspectBytes("broken.png", bytes)).fault).toMatch(message);
  });

  it.each(["jpeg", "webp"] as const)("are refused when cut: %s", async (format) => {
    const data = Uint8Array.from({ length: 90_000 }, (_, at) => (at * 7919) % 256);
    const whole = await sharp(data, { raw: { width: 200, height: 150, channels: 3 } })
      .toFormat(format)
      .toBuffer();
    const { fault } = await inspectBytes(`cut.${format}`, whole.subarray(0, whole.length >> 1));
    expect(fault).toMatch(/cannot be decoded/);
  });

  it("whose recipe cannot be drawn again are described, then refused", async () => {
    const text = JSON.stringify({ version: 1, prompt: "a", seed: 1, settings: {} });
    const { out, fault } = await inspectBytes(
      "recipe.png",
      setPngTexts(png(4, 4, 4), [{ keyword: "nextstep", text }]),
    );
    expect(out).toContain("PNG picture, 4 x 4");
    expect(fault).toMatch(/recipe: the recipe's "settings\.cfg" does not fit/);
  });
});

describe("JSON", () => {
  it.each([
    ["configs/model.json", "training config of a model"],
    ["configs/autoencoder.json", "training config of an autoencoder"],
    ["models/default/nextstep.json", "settings that a model draws with"],
    ["test/parity/models/v1/tokenizer.json", "tokenizer"],
    ["test/parity/models/v1/tokenizer_config.json", "settings of a tokenizer"],
    ["test/parity/models/v1/special_tokens_map.json", "special tokens"],
    ["test/parity/models/v1/vocab.json", "vocabulary or added tokens"],
    ["test/parity/models/v1/added_tokens.json", "vocabulary or added tokens"],
    ["test/parity/models/v1/generation_config.json", "generation settings of published loaders"],
    ["test/parity/models/v1/model.safetensors.index.json", "safetensors index"],
    ["test/parity/models/v1/config.json", "configuration of a model"],
    ["test/parity/models/v1/vae/config.json", "configuration of an autoencoder"],
  ])("%s is a %s", async (path, kind) => {
    const { out, fault } = await inspect(join(ROOT, path));
    expect(fault).toBeUndefined();
    expect(out.split("\n")[0]).toContain(`: ${kind}`);
  });

  it("is read as its reader would, whatever marks its beginning", async () => {
    const settings = '\uFEFF{"generation": {"cfg": 3}}';
    expect((await inspectBytes("marked.json", settings)).out).toContain("settings that a model draws with");
    expect((await inspectBytes("nextstep.json", '{"editing": {"cgf": 3}}')).fault).toMatch(
      /"cgf" is not a setting/,
    );
    expect((await inspectBytes("train.json", '{"output": "", "data": "a", "steps": 1}')).fault).toMatch(
      /output/,
    );
    expect((await inspectBytes("recipe.json", '{"prompt": "", "seed": -1, "settings": {}}')).fault).toMatch(
      /recipe/,
    );
    expect((await inspectBytes("nextstep.json", '{"editing": {"\\u009b2J": 3}}')).fault).toMatch(
      /^[^\p{Cc}]+$/u,
    );
    expect((await inspectBytes("train.json", '{"phases":[],"autoencoder":{},"\\u001b":1}')).fault).toMatch(
      /^[^\p{Cc}]+$/u,
    );
    expect((await inspectBytes("list.json", "[1]")).fault).toMatch(/no object/);
    expect((await inspectBytes("other.json", '{"\\u001b[2J": {}}')).fault).toMatch(
      /no known kind: its keys are "\\u001b\[2J"/,
    );
  });
});

describe("model folders", () => {
  async function damaged(name: string, change: (json: Record<string, never>) => object): Promise<string> {
    const model = await mkdtemp(join(folder, "model-"));
    await cp(join(MODELS, "v1"), model, { recursive: true });
    const text = await readFile(join(model, name), "utf8").catch(() => "{}");
    await writeFile(join(model, name), JSON.stringify(change(JSON.parse(text))));
    return model;
  }

  it("are refused when their tokenizer cannot be used", async () => {
    const model = await damaged("tokenizer.json", (json) => ({ ...json, model: { type: "Unigram" } }));
    const { out, fault } = await inspect(model);
    expect(out).toContain("model folder, v1 layout");
    expect(fault).toMatch(/tokenizer\.json: not a BPE tokenizer \(use a Qwen2 style tokenizer\)/);
  });

  it("are refused when their settings cannot be used", async () => {
    const { fault } = await inspect(await damaged("nextstep.json", () => ({ generation: { steps: 0 } })));
    expect(fault).toMatch(/nextstep\.json: 0 is not allowed/);
  });

  it("are passed as published", async () => {
    for (const name of ["v1", "v1.1", "train"]) {
      expect((await inspect(join(MODELS, name))).fault).toBeUndefined();
    }
  });
});

describe("what is no file", () => {
  it.skipIf(process.platform === "win32")("is refused unread", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const socket = join(folder, "socket");
    const server = createServer().listen(socket);
    for (const path of [pipe, socket, "/dev/zero"]) {
      expect((await inspect(path)).fault).toMatch(/is not a regular file/);
    }
    await new Promise((resolve) => server.close(resolve));
    expect((await inspect(folder)).fault).toMatch(/no config\.json/);
  });
});

it("prints no name that steers the terminal, as text, as JSON or in errors", async () => {
  const picture = setPngTexts(png(4, 4, 4), [
    { keyword: "parameters", text: "a\u001b[2J\u009b\u202e\nSteps: 1, Seed: 2, Size: 3x3" },
  ]);
  const path = join(folder, "name\u001b]0;x.png");
  await writeFile(path, picture);
  for (const json of [false, true]) {
    const { out, fault } = await inspect(path, json);
    expect(fault).toBeUndefined();
    expect(out.replaceAll("\n", "")).toMatch(/^[^\p{Cc}\p{Cf}]*$/u);
    if (json) expect(JSON.parse(out).parameters.prompt).toBe("a\u001b[2J\u009b\u202e");
  }
});
