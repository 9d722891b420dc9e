import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { InputError, StorageError } from "../../errors.ts";
import { fannedOut } from "./blob-name.ts";
import { FolderStore } from "./folder-store.ts";
import { storeSuite } from "./test-store-suite.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-store-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

storeSuite(
  "a folder",
  () => FolderStore.open(join(folder, "suite")),
  (blob, bytes) => writeFile(join(folder, "suite", "blobs", ...fannedOut(blob), blob), bytes),
);

test("a place that cannot be written to is refused at once, with what to do", async () => {
  const file = join(folder, "file");
  await writeFile(file, "");
  await expect(FolderStore.open(file)).rejects.toThrow(InputError);
  await expect(FolderStore.open(join(file, "below"))).rejects.toThrow("cannot be written");
  await expect(FolderStore.open("/proc/nextstep")).rejects.toThrow(InputError);
});

test("what killed processes left is removed when it is old, and is never a file of the store", async () => {
  const path = join(folder, "left");
  const store = await FolderStore.open(path);
  const blob = await store.put(new Uint8Array([1]));
  const place = join(path, "blobs", ...fannedOut(blob));
  const [old, young] = [`.${"0".repeat(16)}.partial`, `.${"1".repeat(16)}.partial`];
  for (const name of [old, young, "notes.txt"]) await writeFile(join(place, name), "");
  await utimes(join(place, old), 0, 0);
  // Whoever is killed while it opens the store leaves one too.
  for (const name of [old, young]) await writeFile(join(path, name), "");
  await utimes(join(path, old), 0, 0);
  await FolderStore.open(path);
  expect((await readdir(path)).sort()).toEqual([young, "blobs"]);
  const listed = [];
  for await (const { name } of store.list()) listed.push(name);
  expect(listed).toEqual([blob]);
  expect((await readdir(place)).sort()).toEqual([young, blob, "notes.txt"].sort());
});

test("what the disk refuses is a fault of the storage and leaves nothing behind", async () => {
  const path = join(folder, "refused");
  const store = await FolderStore.open(path);
  const bytes = new Uint8Array([2]);
  const blob = await store.put(bytes);
  await store.remove(blob);
  const place = join(path, "blobs", ...fannedOut(blob), blob);
  await mkdir(place);
  await writeFile(join(place, "in the way"), "");
  await expect(store.put(bytes)).rejects.toThrow(StorageError);
  await expect(store.get(blob)).rejects.toThrow(StorageError);
  await expect(store.remove(blob)).rejects.toThrow(StorageError);
  expect(await readdir(join(place, ".."))).toEqual([blob]);
});
