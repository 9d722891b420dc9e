/** @file docs/serve.md and /openapi.json tell of the same routes, and the requests that it shows are taken. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "./test-server.ts";
import { squarePng } from "./test-worker.ts";

const DOCUMENT = fileURLToPath(new URL("../../../docs/serve.md", import.meta.url));

interface Shown {
  readonly method: string;
  readonly path: string;
  /** As in the document. */
  readonly command: string;
}

/** Every curl of the document. */
async function shownRequests(): Promise<Shown[]> {
  const text = (await readFile(DOCUMENT, "utf8")).replaceAll("\\\n", " ");
  return [...text.matchAll(/^curl .*$/gm)].map(([line]) => {
    const command = line.replace(/\s+# .*$/, "").replace(/\s{2,}#.*$/, "");
    const path = /http:\/\/127\.0\.0\.1:8000(\/[^\s"?]*)/.exec(command)?.[1] ?? "";
    const given = /-X (\w+)/.exec(command)?.[1];
    return { method: given ?? (/ -(?:d|F) /.test(command) ? "POST" : "GET"), path, command };
  });
}

let server: TestServer;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "serve-docs-"));
  server = await startTestServer({ model: { id: "default" } });
  const png = await squarePng({ width: 64, height: 64 });
  await writeFile(join(folder, "apple.png"), png);
  await writeFile(join(folder, "mask.png"), png);
  const request = { prompt: "x", init_images: [Buffer.from(png).toString("base64")] };
  await writeFile(join(folder, "request.json"), JSON.stringify(request));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** A path with its parts that differ taken out. */
function pattern(path: string): string {
  return path
    .replace(/\$(?:JOB|PICTURE)/, "{}")
    .replace(/\{\w+\}/g, "{}")
    .replace("/preview/0", "/preview/{}")
    .replace("/models/gpt-image-1", "/models/{}");
}

describe("docs/serve.md", () => {
  it("shows every route of /openapi.json, and no other", async () => {
    const { paths } = (await (await server.get("/openapi.json")).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${pattern(path)}`),
    );
    const aliases = ["/healthz", "/v2/health/live", "/readyz", "/v2/health/ready"].map(
      (path) => `GET ${path}`,
    );
    const shown = (await shownRequests()).map(({ method, path }) => `${method} ${pattern(path)}`);
    expect(new Set([...shown, ...aliases])).toEqual(new Set(described));
    const text = await readFile(DOCUMENT, "utf8");
    for (const alias of aliases) expect(text).toContain(alias.slice("GET ".length));
  });

  it("has requests that are taken as they stand", async () => {
    for (const { command, method } of await shownRequests()) {
      const job = (await (await server.post("/v1/jobs", { prompt: "a", previews: 1 })).json()) as {
        id: string;
      };
      await expect
        .poll(() => server.queue.jobs.find(({ record }) => record.id === job.id)?.record.status)
        .toBe("finished");
      const [picture] = server.gallery.entries.slice(-1);
      const asked = command
        .replace("http://127.0.0.1:8000", server.url)
        .replace("$JOB", job.id)
        .replace("$PICTURE", String(picture?.id));
      const { status } = await sendAsCurl(asked, method);
      // A job that has ended is neither cancelled nor moved.
      const isLate = method !== "GET" && command.includes("$JOB");
      expect(status, command).toBe(isLate ? 409 : / \S+\/v1\/jobs .*-d/.test(command) ? 202 : 200);
    }
  });
});

/** What the command would send. The answer is read to its end. */
async function sendAsCurl(command: string, method: string): Promise<Response> {
  const words = [...command.matchAll(/'([^']*)'|((?:"[^"]*"|\S)+)/g)].map(
    ([, quoted, plain = ""]) => quoted ?? plain.replaceAll('"', ""),
  );
  const url = words.find((word) => word.startsWith(server.url)) ?? "";
  const headers: Record<string, string> = {};
  let body: string | FormData | undefined;
  for (const [index, word] of words.entries()) {
    const value = words[index + 1] ?? "";
    if (word === "-H") {
      const [name = "", text = ""] = value.split(": ");
      headers[name] = text;
    } else if (word === "-d") {
      body = value.startsWith("@") ? await readFile(join(folder, value.slice(1)), "utf8") : value;
    } else if (word === "-F") {
      const [name = "", text = ""] = value.split("=");
      const form = body instanceof FormData ? body : new FormData();
      const part = text.startsWith("@") ? new Blob([await readFile(join(folder, text.slice(1)))]) : text;
      if (typeof part === "string") form.append(name, part);
      else form.append(name, part, text.slice(1));
      body = form;
    }
  }
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  await response.arrayBuffer();
  return response;
}
