/** @file A store by its address. */
import type { BlobStore } from "../contract/blob-store.ts";
import { FolderStore } from "./folder-store.ts";

/**
 * Opens a store and sees that it can be written to.
 * @param address `s3://BUCKET/PREFIX`, or a folder, which is made if need be.
 * @throws as {@link FolderStore.open} and S3Store.open do
 */
export async function openStore(address: string): Promise<BlobStore> {
  if (!address.startsWith("s3://")) return FolderStore.open(address);
  return (await import("./s3-store.ts")).S3Store.open(address);
}
