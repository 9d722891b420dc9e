/** @file What an S3 server may answer that test servers do not: pages, refusals, failures that pass. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { ConfigError, StorageError } from "../../errors.ts";
import { openStore } from "./open-store.ts";

type Answer = readonly [status: number, body?: string];

let server: Server;
let answer: (request: IncomingMessage, url: URL) => Answer;
const asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://loopback");
    asked.push(`${request.method} ${url.pathname}`);
    request.resume().on("end", () => {
      const [status, body = ""] = answer(request, url);
      response.writeHead(status, { "content-type": "application/xml" }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  for (const [name, value] of [
    ["AWS_ENDPOINT_URL", `http://127.0.0.1:${port}`],
    ["AWS_ACCESS_KEY_ID", "key"],
    ["AWS_SECRET_ACCESS_KEY", "secret"],
  ]) {
    vi.stubEnv(name!, value);
  }
});
afterEach(() => {
  asked.length = 0;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function fault(code: string): string {
  return `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`;
}

test("it is opened by writing below its prefix", async () => {
  answer = (request) => [request.method === "DELETE" ? 204 : 200];
  await using _ = await openStore("s3://some-bucket/a/b/");
  expect(asked).toEqual([
    expect.stringMatching(/^PUT \/some-bucket\/a\/b\/probe-[0-9a-f]{16}$/),
    expect.stringMatching(/^DELETE \/some-bucket\/a\/b\/probe-[0-9a-f]{16}$/),
  ]);
});

test.each([
  ["AccessDenied", 403, "access is denied"],
  ["SignatureDoesNotMatch", 403, "AWS_SECRET_ACCESS_KEY"],
  ["InvalidAccessKeyId", 403, "AWS_ACCESS_KEY_ID"],
  ["NoSuchBucket", 404, "there is no such bucket"],
  ["Peculiar", 400, "Peculiar"],
])("%s is refused with what to do", async (code, status, words) => {
  answer = () => [status, fault(code)];
  const refusal = openStore("s3://some-bucket");
  await expect(refusal).rejects.toThrow(StorageError);
  await expect(refusal).rejects.toThrow(words);
});

test("another address is refused before anything is asked", async () => {
  for (const address of ["s3://", "s3://A", "s3:///x", "s3://a_b/c"]) {
    await expect(openStore(address)).rejects.toThrow(ConfigError);
  }
  expect(asked).toEqual([]);
});

test("a failure that passes costs nothing but time", async () => {
  let failures = 1;
  answer = () => (failures-- > 0 ? [503, fault("SlowDown")] : [200]);
  await using _ = await openStore("s3://some-bucket");
  expect(asked.filter((line) => line.startsWith("PUT"))).toHaveLength(2);
});

test("files are listed page by page, and nothing else that lies there", async () => {
  const names = ["0", "1", "2"].map((digit) => digit.repeat(64));
  const page = (keys: readonly string[], next?: string): string =>
    `<?xml version="1.0"?><ListBucketResult>${keys
      .map(
        (key) =>
          `<Contents><Key>p/blobs/${key}</Key><Size>5</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`,
      )
      .join(
        "",
      )}${next === undefined ? "" : `<NextContinuationToken>${next}</NextContinuationToken>`}</ListBucketResult>`;
  answer = (request, url) => {
    if (request.method !== "GET") return [200];
    expect(url.searchParams.get("prefix")).toBe("p/blobs/");
    return url.searchParams.get("continuation-token") === "more"
      ? [200, page([names[2]!])]
      : [200, page([names[0]!, "notes.txt", names[1]!], "more")];
  };
  await using store = await openStore("s3://some-bucket/p");
  const listed = [];
  for await (const file of store.list()) listed.push(file);
  expect(listed).toEqual(names.map((name) => ({ name, bytes: 5, modified: Date.UTC(2026) / 1000 })));
});
