/** @file Requests as programs are known to send them, and what those programs read of the answers. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readPngHeader } from "./test-png.ts";
import { startTestServer, type TestServer } from "./test-server.ts";
import { squarePng } from "./test-worker.ts";

let server: TestServer;
let picture: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  server = await startTestServer();
  picture = await squarePng({ width: 64, height: 64 });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Shape {
  readonly client: string;
  readonly path: string;
  /** JSON, or the parts of a form in order; files are marks. */
  readonly json?: Record<string, unknown>;
  readonly form?: readonly (readonly [name: string, value: string])[];
  readonly reads: "b64_json" | "url" | "images" | "info";
  /** Of the picture. */
  readonly size: string;
}

/** In place of a file. */
const FILE = "<picture>";

const SHAPES: readonly Shape[] = [
  {
    client: "Open WebUI",
    path: "/v1/images/generations",
    json: { model: "dall-e-3", prompt: "a ship", n: 1, size: "512x512", response_format: "b64_json" },
    reads: "b64_json",
    size: "512x512",
  },
  {
    client: "Open WebUI, a model of the newer kind",
    path: "/v1/images/generations",
    json: { model: "gpt-image-1", prompt: "a ship", n: 1, size: "512x512" },
    reads: "b64_json",
    size: "512x512",
  },
  {
    client: "Open WebUI, editing",
    path: "/v1/images/edits",
    form: [
      ["model", "gpt-image-1"],
      ["prompt", "blue"],
      ["n", "1"],
      ["size", "512x512"],
      ["response_format", "b64_json"],
      ["image[]", FILE],
    ],
    reads: "b64_json",
    size: "512x512",
  },
  {
    client: "Open WebUI by the A1111 routes",
    path: "/sdapi/v1/txt2img",
    json: { prompt: "a ship", batch_size: 1, width: 512, height: 512, steps: 20, negative_prompt: "blurry" },
    reads: "info",
    size: "512x512",
  },
  {
    client: "LibreChat",
    path: "/v1/images/generations",
    json: {
      model: "gpt-image-1",
      prompt: "a ship",
      n: 1,
      background: "auto",
      output_format: "png",
      output_compression: 100,
      quality: "auto",
      size: "auto",
    },
    reads: "b64_json",
    size: "64x64",
  },
  {
    client: "LibreChat, editing",
    path: "/v1/images/edits",
    form: [
      ["model", "gpt-image-1"],
      ["prompt", "blue"],
      ["n", "1"],
      ["quality", "auto"],
      ["size", "auto"],
      ["image[]", FILE],
      ["image[]", FILE],
    ],
    reads: "b64_json",
    size: "64x64",
  },
  {
    client: "LibreChat's tool for Stable Diffusion",
    path: "/sdapi/v1/txt2img",
    json: {
      prompt: "a ship",
      negative_prompt: "blurry",
      cfg_scale: 4.5,
      steps: 22,
      width: 1024,
      height: 1024,
    },
    reads: "info",
    size: "1024x1024",
  },
  {
    client: "AnythingLLM",
    path: "/v1/images/generations",
    json: { model: "square", prompt: "a ship", size: "1024x1024", n: 1 },
    reads: "b64_json",
    size: "1024x1024",
  },
  {
    client: "LobeChat",
    path: "/v1/images/generations",
    json: {
      model: "gpt-image-1",
      n: 1,
      prompt: "a ship",
      size: "1024x1536",
      cfg: 2.5,
      steps: 20,
      seed: null,
    },
    reads: "b64_json",
    size: "1024x1536",
  },
  {
    client: "LobeChat, editing",
    path: "/v1/images/edits",
    form: [
      ["model", "gpt-image-1"],
      ["n", "1"],
      ["prompt", "blue"],
      ["image", FILE],
      ["input_fidelity", "high"],
    ],
    reads: "b64_json",
    size: "64x64",
  },
  {
    client: "n8n",
    path: "/v1/images/generations",
    json: {
      prompt: "a ship",
      model: "dall-e-3",
      response_format: "b64_json",
      quality: "standard",
      size: "1024x1024",
      style: "vivid",
    },
    reads: "b64_json",
    size: "1024x1024",
  },
  {
    client: "n8n, editing as with dall-e-2",
    path: "/v1/images/edits",
    form: [
      ["image", FILE],
      ["prompt", "blue"],
      ["model", "dall-e-2"],
      ["response_format", "b64_json"],
    ],
    reads: "b64_json",
    size: "64x64",
  },
  {
    client: "LangChain",
    path: "/v1/images/generations",
    json: {
      model: "dall-e-3",
      prompt: "a ship",
      n: 1,
      size: "1024x1024",
      response_format: "url",
      style: "vivid",
      quality: "standard",
      user: "someone",
    },
    reads: "url",
    size: "1024x1024",
  },
  {
    client: "Nextcloud",
    path: "/v1/images/generations",
    json: { prompt: "a ship", size: "1024x1024", n: 1, model: "dall-e-3" },
    reads: "b64_json",
    size: "1024x1024",
  },
  {
    client: "SillyTavern",
    path: "/sdapi/v1/txt2img",
    json: {
      prompt: "a ship",
      negative_prompt: "",
      sampler_name: "sde",
      scheduler: "constant shift",
      steps: 20,
      cfg_scale: 7,
      width: 512,
      height: 512,
      restore_faces: false,
      enable_hr: false,
      hr_upscaler: "Latent",
      hr_scale: 2,
      hr_additional_modules: [],
      denoising_strength: 0.7,
      hr_second_pass_steps: 0,
      seed: -1,
      batch_size: 1,
      clip_skip: 1,
      override_settings: { CLIP_stop_at_last_layers: 1 },
      override_settings_restore_afterwards: true,
      save_images: true,
      send_images: true,
      do_not_save_grid: false,
      do_not_save_samples: false,
    },
    reads: "images",
    size: "512x512",
  },
];

describe("requests of known programs are answered with what they read", () => {
  it.each(SHAPES)("$client", async ({ path, json, form, reads, size }) => {
    const data = new FormData();
    for (const [name, value] of form ?? []) data.append(name, value === FILE ? new Blob([picture]) : value);
    const response = await (json === undefined
      ? fetch(`${server.url}${path}`, { method: "POST", body: data })
      : server.post(path, json));
    const body = (await response.json()) as {
      data?: { b64_json?: string; url?: string }[];
      images?: string[];
      info?: string;
    };
    expect(response.status, JSON.stringify(body).slice(0, 300)).toBe(200);
    const [item] = body.data ?? [];
    const bytes =
      reads === "url"
        ? Buffer.from(await (await fetch(item?.url ?? "")).arrayBuffer())
        : Buffer.from(item?.b64_json ?? body.images?.[0] ?? "", "base64");
    const header = readPngHeader(bytes);
    expect(`${header.width}x${header.height}`).toBe(size);
    if (reads !== "info") return;
    const info = JSON.parse(body.info ?? "") as Record<string, unknown>;
    expect(info).toMatchObject({ width: header.width, height: header.height, seed: expect.any(Number) });
    expect((info.infotexts as string[])[0]).toMatch(/Steps: \d+, Sampler: /);
  });

  it("SillyTavern looks whether the route is there", async () => {
    const response = await fetch(`${server.url}/v1/images/generations`, { method: "OPTIONS" });
    expect(response.status).toBe(204);
    expect(response.headers.get("allow")).toBe("POST, OPTIONS");
  });
});

describe("forms", () => {
  const boundary = "----parts";
  const send = (
    parts: readonly (string | Uint8Array)[],
    type = `multipart/form-data; boundary=${boundary}`,
  ) =>
    fetch(`${server.url}/v1/images/edits`, {
      method: "POST",
      headers: { "content-type": type },
      body: new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part)))),
    });
  const text = (name: string, value: string): string =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const end = `--${boundary}--\r\n`;

  it("may have files without a name or a type, in front of the prompt", async () => {
    const file = `--${boundary}\r\nContent-Disposition: form-data; name="image"\r\n\r\n`;
    const response = await send([file, picture, "\r\n", text("prompt", "blue"), text("seed", "5"), end]);
    expect(response.status).toBe(200);
    expect(server.queue.jobs.at(-1)?.record.request).toMatchObject({ prompt: "blue", seed: 5 });
  });

  it("keep a prompt that looks like a number a text", async () => {
    const file = `--${boundary}\r\nContent-Disposition: form-data; name="image[]"; filename="a"\r\n\r\n`;
    await send([text("prompt", "42"), text("n", ""), file, picture, "\r\n", end]);
    expect(server.queue.jobs.at(-1)?.record.request).toMatchObject({ prompt: "42", count: 1 });
  });

  it("are refused where they are malformed, cut off, or hold something else", async () => {
    const file = `--${boundary}\r\nContent-Disposition: form-data; name="image"\r\n\r\n`;
    const refused: [readonly (string | Uint8Array)[], string?][] = [
      [[text("prompt", "x"), end]],
      [[text("prompt", "x"), file, "no picture", "\r\n", end]],
      [[text("prompt", "x"), file, picture]],
      [[text("prompt", "x"), text("prompt", "y"), file, picture, "\r\n", end]],
      [[text("promt", "x"), file, picture, "\r\n", end]],
      [["nothing"], "multipart/form-data"],
      [["nothing"]],
      [[file.replace('"image"', '"other"; filename="x"'), picture, "\r\n", text("prompt", "x"), end]],
    ];
    for (const [parts, type] of refused) {
      const response = await send(parts, type);
      expect(
        response.status,
        Buffer.from(parts[0] ?? "")
          .toString()
          .slice(0, 60),
      ).toBe(400);
      expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error" } });
    }
    expect((await send(["{}"], "application/json")).status).toBe(415);
  });
});
