/** @file The page: files of a folder that are read once, when the server starts, so that no path of a request touches the disk. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { DataFormatError } from "../../errors.ts";
import { hasCode } from "../../files/write-failure.ts";

interface PageFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where that is smaller. */
  readonly zipped: Uint8Array<ArrayBuffer> | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".webp": "image/webp",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};
const ZIPPED_TYPES = /^(?:text\/|application\/|image\/svg)/;
/** All of a page in memory; a folder with more in it is another one. */
const MAX_BYTES = 32 * 2 ** 20;

/** The page asks nobody but its own server, and nothing else may frame it or add to it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const COMMON_HEADERS = {
  "content-security-policy": POLICY,
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** What Vite names after its content never changes under that name. */
const HASHED = /^\/assets\/.+-[\w-]{8}\.\w+$/;

export class PageFiles {
  readonly #files: ReadonlyMap<string, PageFile>;

  private constructor(files: ReadonlyMap<string, PageFile>) {
    this.#files = files;
  }

  /** No page; every path is unknown. */
  static readonly none = new PageFiles(new Map());

  /** @throws DataFormatError for a folder of more than 32 MiB. A folder that is not there is an empty one. */
  static async load(folder: string): Promise<PageFiles> {
    const files = new Map<string, PageFile>();
    let total = 0;
    for (const path of await filesIn(folder)) {
      const type = TYPES[extname(path)];
      if (type === undefined) continue;
      const bytes = new Uint8Array(await readFile(path));
      total += bytes.length;
      if (total > MAX_BYTES) throw new DataFormatError("is too large for a page", { where: folder });
      const place = `/${relative(folder, path).split(sep).join("/")}`;
      files.set(place, await pageFile(place, bytes, type));
      if (place === "/index.html") files.set("/", await pageFile(place, bytes, type));
    }
    return new PageFiles(files);
  }

  get isEmpty(): boolean {
    return this.#files.size === 0;
  }

  /** The answer for a path; undefined where the page has no such file. */
  answer(
    path: string,
    headers: { readonly etag?: string; readonly encodings?: string },
  ): Response | undefined {
    const file = this.#files.get(path);
    if (file === undefined) return undefined;
    const isZipped = file.zipped !== undefined && /\bgzip\b/.test(headers.encodings ?? "");
    const answered = {
      ...file.headers,
      vary: "accept-encoding",
      ...(isZipped ? { "content-encoding": "gzip" } : {}),
    };
    if (headers.etag !== undefined && headers.etag === file.headers.etag) {
      return new Response(null, { status: 304, headers: answered });
    }
    return new Response(isZipped ? file.zipped : file.bytes, { headers: answered });
  }
}

async function pageFile(place: string, bytes: Uint8Array<ArrayBuffer>, type: string): Promise<PageFile> {
  const zipped = ZIPPED_TYPES.test(type) ? new Uint8Array(await promisify(gzip)(bytes)) : undefined;
  return {
    bytes,
    zipped: zipped !== undefined && zipped.length < bytes.length ? zipped : undefined,
    headers: {
      ...COMMON_HEADERS,
      "content-type": type,
      "cache-control": HASHED.test(place) ? "public, max-age=31536000, immutable" : "no-cache",
      etag: `"${createHash("sha256").update(bytes).digest("hex").slice(0, 32)}"`,
    },
  };
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}
