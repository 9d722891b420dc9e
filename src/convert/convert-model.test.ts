import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyTensors } from "../../test/support/copy-tensors.ts";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { AbortedError, InputError, ModelFormatError, UnsupportedError } from "../errors.ts";
import { digestFile } from "../files/file-digest.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { openSafetensors, writeSafetensors } from "../files/safetensors-files.ts";
import { dequantizeBlocks, quantizeBlocks } from "../model/block-quantization.ts";
import { type ConversionManifest, MANIFEST_FILE } from "./conversion-manifest.ts";
import { type ConversionRequest, convertModel } from "./convert-model.ts";
import { folderShards, type ShardSource } from "./shard-source.ts";

const MODELS = fileURLToPath(new URL("../../test/parity/models/", import.meta.url));
const V1 = join(MODELS, "v1");

let scratch: string;
let target: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "nextstep-convert-"));
  target = join(scratch, "out");
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

function convert(source: string, change: Partial<ConversionRequest> = {}) {
  return convertModel({
    name: source,
    files: new LocalFolder(source),
    shards: folderShards(source),
    target,
    bits: 4,
    threads: 1,
    ...change,
  });
}

async function manifestOf(folder: string): Promise<ConversionManifest> {
  return JSON.parse(await readFile(join(folder, MANIFEST_FILE), "utf8"));
}

/** The shards of a folder, the last `count` of which fail. */
function failingShards(folder: string, count: number): ShardSource {
  const whole = folderShards(folder);
  return {
    ...whole,
    async *shards(files, spare) {
      for await (const shard of whole.shards(files, spare)) {
        if (files.indexOf(shard.file) >= files.length - count) throw new Error("the connection was lost");
        yield shard;
      }
    },
  };
}

describe("convertModel", () => {
  it.each(["v1.1", "train"])("makes a folder that opens, of %s", async (name) => {
    const result = await convert(join(MODELS, name));
    expect(result.kept).toBe(0);
    await using original = await openModelFolder(new LocalFolder(join(MODELS, name)));
    await using converted = await openModelFolder(new LocalFolder(target));
    expect(converted.problems).toEqual([]);
    expect(converted.autoencoder?.problems).toEqual(original.autoencoder?.problems);
    for (const [weight, { format, shape }] of converted.tensors.quantized!.matrices) {
      const values = await original.tensors.read(weight);
      const packed = quantizeBlocks(values, ...shape, format, format.bits === 4 ? "search" : "nearest");
      expect(await converted.tensors.read(weight)).toEqual(dequantizeBlocks(packed, ...shape, format));
    }
    for (const weight of ["norm.weight", "image_in_projector.weight", "layers.1.self_attn.q_proj.bias"]) {
      expect(await converted.tensors.readStored(weight)).toEqual(await original.tensors.readStored(weight));
    }
  });

  it("says what it made, of what, and how far off it is", async () => {
    await convert(V1);
    const { source, method, errors, shards, complete, files } = await manifestOf(target);
    expect(complete).toBe(true);
    expect(source.name).toBe(V1);
    expect(method).toMatchObject({ bits: 4, fit: "search" });
    for (const [file, shard] of Object.entries(shards)) {
      expect(shard.source.sha256).toBe(await digestFile(join(V1, file)));
      expect(shard.result.sha256).toBe(await digestFile(join(target, file)));
    }
    expect(Object.keys(files)).toContain("vae/checkpoint.pt");
    const pattern = "layers.*.mlp.up_proj.weight";
    await using original = await openModelFolder(new LocalFolder(V1));
    await using converted = await openModelFolder(new LocalFolder(target));
    let [error, total] = [0, 0];
    for (const layer of [0, 1, 2]) {
      const name = pattern.replace("*", `${layer}`);
      const [before, after] = [await original.tensors.read(name), await converted.tensors.read(name)];
      before.forEach((value, i) => {
        error += (value - after[i]!) ** 2;
        total += value ** 2;
      });
    }
    expect(errors[pattern]).toBeCloseTo(Math.sqrt(error / total), 10);
    expect(errors[pattern]).toBeGreaterThan(0.05);
    expect(errors["embed_tokens.weight"]).toBeLessThan(0.01);
  });

  it("goes on behind the last whole shard, to the same bytes", async () => {
    await convert(V1, { target: join(scratch, "at-once") });
    await expect(convert(V1, { shards: failingShards(V1, 2) })).rejects.toThrow("connection was lost");
    await expect(openModelFolder(new LocalFolder(target))).rejects.toThrow(InputError);
    const [first] = Object.keys((await manifestOf(target)).shards);
    const { mtimeMs } = await stat(join(target, first!));
    // What a process that was killed leaves.
    await writeFile(join(target, ".0123456789abcdef.partial"), "half");
    const result = await convert(V1);
    expect(result.kept).toBe(1);
    expect((await stat(join(target, first!))).mtimeMs).toBe(mtimeMs);
    const names = (await readdir(target, { recursive: true })).sort();
    expect(names).toEqual((await readdir(join(scratch, "at-once"), { recursive: true })).sort());
    for (const name of names) {
      if ((await stat(join(target, name))).isDirectory()) continue;
      expect([name, await digestFile(join(target, name))]).toEqual([
        name,
        await digestFile(join(scratch, "at-once", name)),
      ]);
    }
    expect((await convert(V1, { shards: failingShards(V1, 3) })).kept).toBe(3);
  });

  it("releases a shard once its result is there for good, and makes one again that is damaged", async () => {
    const released: string[] = [];
    const whole = folderShards(V1);
    const shards: ShardSource = {
      ...whole,
      async *shards(files, spare) {
        for await (const shard of whole.shards(files, spare)) {
          const release = async (): Promise<void> => {
            expect(Object.keys((await manifestOf(target)).shards)).toContain(shard.file);
            released.push(shard.file);
          };
          yield { ...shard, release };
        }
      },
    };
    await convert(V1, { shards });
    expect(released).toHaveLength(3);
    await truncate(join(target, released[1]!), 100);
    await convert(V1, { shards });
    expect(released[3]).toBe(released[1]);
    await using _converted = await openModelFolder(new LocalFolder(target));
  });

  it("can be cancelled, leaves nothing half-written, and goes on", async () => {
    const controller = new AbortController();
    const onProgress = ({ done }: { done: number }): void => {
      if (done > 700_000) controller.abort();
    };
    await expect(convert(V1, { signal: controller.signal, onProgress })).rejects.toThrow(AbortedError);
    expect((await readdir(target)).filter((name) => name.startsWith("."))).toEqual([]);
    expect((await convert(V1)).kept).toBe(1);
  });

  it("refuses what is there already, and goes on with nothing but its own request", async () => {
    await cp(V1, target, { recursive: true });
    await expect(convert(V1)).rejects.toThrow(/exists already and is no conversion/);
    await expect(convert(target, { target })).rejects.toThrow(InputError);
    await rm(target, { recursive: true });
    await convert(V1);
    await expect(convert(V1, { bits: 8 })).rejects.toThrow(/another conversion, to 4 bits/);
    await expect(convert(join(MODELS, "v1.1"))).rejects.toThrow(/another conversion, of .*v1 /);
    await expect(convert(target, { target: join(scratch, "twice") })).rejects.toThrow(UnsupportedError);
    await appendFile(join(target, MANIFEST_FILE), "x");
    await expect(convert(V1)).rejects.toThrow(/conversion\.json.*is not JSON/);
    await writeFile(join(target, MANIFEST_FILE), "{}");
    await expect(convert(V1)).rejects.toThrow(/is no manifest: version/);
  });

  it.each<[string, (data: Float32Array) => Float32Array | undefined, RegExp]>([
    ["that are missing", () => undefined, /down_proj\.weight" is missing/],
    ["of another size", (data) => data.subarray(64), /has shape \[2496\], expected \[32,80\]/],
    ["that are not finite", (data) => data.fill(Number.NaN, 7, 8), /holds numbers that are not finite/],
  ])("refuses weights %s", async (_, change, message) => {
    const source = join(scratch, "source");
    await cp(join(MODELS, "train"), source, { recursive: true });
    const file = await openSafetensors(source);
    const name = "layers.1.mlp.down_proj.weight";
    const data = change((await file.readTensor(name)).data as Float32Array);
    const changed = copyTensors(file).flatMap((tensor) => {
      if (tensor.name !== name) return [tensor];
      if (data === undefined) return [];
      const shape = data.length === tensor.shape.reduce((a, b) => a * b, 1) ? tensor.shape : [data.length];
      return [{ ...tensor, shape, load: () => ({ dtype: tensor.dtype, shape, data }) }];
    });
    await writeSafetensors(join(scratch, "changed.safetensors"), changed);
    await file.close();
    await cp(join(scratch, "changed.safetensors"), join(source, "model.safetensors"));
    await expect(convert(source)).rejects.toThrow(message);
    await expect(convert(source)).rejects.toThrow(ModelFormatError);
    const left = await readdir(target).catch(() => []);
    expect(left.filter((file) => file.endsWith(".safetensors") || file === "config.json")).toEqual([]);
  });
});

it("survives being killed at any moment", async () => {
  await convert(V1, { target: join(scratch, "at-once") });
  const command = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
  const loader = import.meta.resolve("tsx");
  for (const [attempt, marks] of [/^\.[0-9a-f]+\.partial$/, /^model-.*safetensors$/].entries()) {
    const child = spawn(
      process.execPath,
      ["--import", loader, command, "convert", V1, target, "--bits", "4", "--threads", "1"],
      { stdio: "ignore" },
    );
    const ended = once(child, "exit");
    for (let found = false; !found && child.exitCode === null; ) {
      found = (await readdir(target).catch(() => [] as string[])).some((name) => marks.test(name));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    child.kill("SIGKILL");
    await ended;
    expect(attempt).toBeLessThan(2);
  }
  await convert(V1);
  for (const name of (await readdir(target)).filter((file) => file.endsWith(".safetensors"))) {
    expect(await digestFile(join(target, name))).toBe(await digestFile(join(scratch, "at-once", name)));
  }
}, 60_000);
