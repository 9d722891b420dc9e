import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { AbortedError, DataFormatError, InputError } from "../errors.ts";
import { nodeZlib } from "../files/zlib.ts";
import { encodePng } from "../image/encode-png.ts";
import { testTerminal } from "./test-terminal.ts";
import { runCaption, runWrite } from "./text.ts";
import { textContradiction } from "./text-options.ts";

const MODEL = fileURLToPath(new URL("../../test/parity/models/v1.1", import.meta.url));
const OPTIONS = { model: MODEL, threads: 1, maxTokens: 6 };

let folder: string;
let pictures: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-text-"));
  pictures = ["one.png", "two.png"].map((name) => join(folder, name));
  for (const [index, path] of pictures.entries()) {
    const data = new Uint8Array(32 * 32 * 3).fill(200 * index);
    await writeFile(path, await encodePng({ width: 32, height: 32, data }, nodeZlib));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("continues a text, given or fed, as the JSON has it", async () => {
  const [given, fed, json] = [testTerminal(), testTerminal({ input: "A small house\n" }), testTerminal()];
  await runWrite("A small house", OPTIONS, given);
  await runWrite("-", OPTIONS, fed);
  await runWrite("A small house", { ...OPTIONS, json: true }, json);
  const result = JSON.parse(json.written.out()) as Record<string, string>;
  expect(result).toMatchObject({
    prompt: "A small house",
    finishReason: expect.stringMatching(/stop|length/),
  });
  expect(result.text).not.toBe("");
  expect(given.written.out()).toBe(`${result.text}\n`);
  expect(fed.written.out()).toBe(given.written.out());
  expect(given.written.err()).toBe("");
});

it("says what pictures show, each with its name where there are several", async () => {
  const [one, two, json] = [testTerminal(), testTerminal(), testTerminal()];
  await runCaption(pictures.slice(0, 1), OPTIONS, one);
  await runCaption(pictures, OPTIONS, two);
  await runCaption(pictures, { ...OPTIONS, json: true }, json);
  const results = json.written
    .out()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, string>);
  expect(results.map(({ file }) => file)).toEqual(pictures);
  expect(one.written.out()).toBe(`${results[0]?.text}\n`);
  expect(two.written.out()).toBe(results.map(({ file, text }) => `${file}: ${text}\n`).join(""));
});

it("shows on a terminal how loading goes, and lets no text steer it", async () => {
  const terminal = testTerminal({ isTTY: true, environment: { TERM: "xterm" } });
  await runWrite("A small house", OPTIONS, terminal);
  expect(terminal.written.err()).toContain("opening the model");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  expect(terminal.written.out()).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
});

it("refuses a name that is mistyped before anything is printed", async () => {
  const terminal = testTerminal();
  const files = [pictures[0] as string, join(folder, "nowhere.png")];
  await expect(runCaption(files, OPTIONS, terminal)).rejects.toThrow(/nowhere\.png: cannot be opened/);
  expect(terminal.written.out()).toBe("");
});

it("refuses input that is no text, or no end", async () => {
  const wrong = testTerminal({ input: Uint8Array.of(0x61, 0xff) });
  await expect(runWrite("-", OPTIONS, wrong)).rejects.toThrow(DataFormatError);
  const zeros = new Readable({
    read() {
      this.push(Buffer.alloc(1 << 20));
    },
  });
  const endless = { ...testTerminal(), in: zeros };
  await expect(runWrite("-", OPTIONS, endless)).rejects.toThrow(/standard input: more than/);
  await expect(runWrite("-", OPTIONS, testTerminal())).rejects.toThrow(InputError);
});

it("stops waiting for input when interrupted", async () => {
  const controller = new AbortController();
  const silent = new Readable({ read: () => {} });
  const reading = runWrite("-", OPTIONS, { ...testTerminal({ signal: controller.signal }), in: silent });
  controller.abort();
  await expect(reading).rejects.toThrow(AbortedError);
});

it("names options that do nothing at temperature 0", () => {
  for (const options of [{ topP: 0.5 }, { topK: 3, temperature: 0 }, { seed: 4 }]) {
    expect(textContradiction(options)).toContain("--temperature 0");
  }
  expect(textContradiction({ topP: 0.5, topK: 3, seed: 4, temperature: 0.7 })).toBeUndefined();
  expect(textContradiction({})).toBeUndefined();
});
