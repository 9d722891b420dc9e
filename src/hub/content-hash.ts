/** @file The digests by which the hub names contents. */
import { createHash, type Hash } from "node:crypto";
import type { RepoFile } from "./repo-listing.ts";

/** A running digest of a file's content: SHA-256, or git's, which is SHA-1 of a header and the content. */
export function contentHash({ digest, bytes }: RepoFile): Hash {
  return digest.algorithm === "sha256" ? createHash("sha256") : createHash("sha1").update(`blob ${bytes}\0`);
}
