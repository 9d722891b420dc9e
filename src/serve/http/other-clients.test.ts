/** @file Other clients of OpenAI's routes, unmodified: the Vercel AI SDK and LangChain. */
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { DallEAPIWrapper } from "@langchain/openai";
import { generateImage } from "ai";
import { afterEach, describe, expect, it } from "vitest";
import { readPngHeader } from "./test-png.ts";
import { startTestServer, type TestServer } from "./test-server.ts";
import { squarePng } from "./test-worker.ts";

const servers: TestServer[] = [];

async function start(): Promise<TestServer> {
  const server = await startTestServer();
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server[Symbol.asyncDispose]()));
});

describe("the AI SDK", () => {
  it("draws and edits by its compatible provider", async () => {
    const server = await start();
    const model = createOpenAICompatible({ name: "nextstep", baseURL: `${server.url}/v1` }).imageModel(
      "square",
    );
    const { images } = await generateImage({ model, prompt: "a ship", n: 2, size: "128x64", maxRetries: 0 });
    expect(images.map(({ uint8Array }) => readPngHeader(Buffer.from(uint8Array)))).toEqual([
      { width: 128, height: 64 },
      { width: 128, height: 64 },
    ]);
    const picture = await squarePng({ width: 64, height: 64 });
    for (const pictures of [[picture], [picture, picture]]) {
      const edited = await generateImage({
        model,
        prompt: { text: "blue", images: pictures, mask: picture },
        maxRetries: 0,
      });
      expect(edited.images).toHaveLength(1);
      expect(server.queue.jobs.at(-1)?.record.request).toMatchObject({
        task: "edit",
        images: { length: pictures.length },
        ground: { kind: "mask" },
      });
    }
  });

  it("draws and edits by its provider of OpenAI's models", async () => {
    const server = await start();
    const provider = createOpenAI({ baseURL: `${server.url}/v1`, apiKey: "unused" });
    for (const name of ["gpt-image-1", "dall-e-3"]) {
      const { image } = await generateImage({ model: provider.image(name), prompt: "a ship", maxRetries: 0 });
      expect(readPngHeader(Buffer.from(image.uint8Array))).toEqual({ width: 64, height: 64 });
    }
    const edited = await generateImage({
      model: provider.image("gpt-image-1"),
      prompt: { text: "blue", images: [await squarePng({ width: 64, height: 64 })] },
      maxRetries: 0,
    });
    expect(edited.images).toHaveLength(1);
  });
});

describe("LangChain", () => {
  it("draws by its tool for DALL-E, one picture or several", async () => {
    const server = await start();
    const wrapper = (options: ConstructorParameters<typeof DallEAPIWrapper>[0]): DallEAPIWrapper =>
      new DallEAPIWrapper({ apiKey: "unused", baseUrl: `${server.url}/v1`, user: "someone", ...options });
    const url: unknown = await wrapper({}).invoke("a ship");
    expect((await fetch(String(url))).status).toBe(200);
    const several: unknown = await wrapper({ n: 2 }).invoke("a ship");
    expect(several).toHaveLength(2);
    const base64: unknown = await wrapper({ dallEResponseFormat: "b64_json" }).invoke("a ship");
    expect(readPngHeader(Buffer.from(String(base64), "base64"))).toEqual({ width: 1024, height: 1024 });
  });
});
