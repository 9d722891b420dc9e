/** @file Serves the built page as `nextstep serve` does, with its policy: files of dist/studio and nothing else. */
import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const BUILT = fileURLToPath(new URL("../../dist/studio", import.meta.url));

/** Scripts, styles and fonts are files; pictures may also be ones that the page itself holds. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

export async function servePage(path: string, response: ServerResponse): Promise<void> {
  const file = path === "/" ? "/index.html" : normalize(path);
  try {
    const bytes = await readFile(join(BUILT, file));
    response
      .writeHead(200, {
        "content-type": TYPES[extname(file)] ?? "application/octet-stream",
        "content-security-policy": POLICY,
      })
      .end(bytes);
  } catch {
    response.writeHead(404, { "content-type": "text/plain" }).end("there is nothing here\n");
  }
}
