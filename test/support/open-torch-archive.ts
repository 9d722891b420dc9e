/** @file A torch archive on the disk, by its path. */
import { FileSource } from "../../src/files/file-source.ts";
import { TorchArchive } from "../../src/formats/torch-archive.ts";

export async function openTorchArchive(path: string): Promise<TorchArchive> {
  return TorchArchive.read(await FileSource.open(path));
}
