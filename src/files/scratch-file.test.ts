import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { partialName } from "./partial-name.ts";
import { ProcessLock } from "./process-lock.ts";
import { ScratchFile } from "./scratch-file.ts";

const root = await mkdtemp(join(tmpdir(), "nextstep-scratch-test-"));
afterAll(() => rm(root, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

let made = 0;
async function emptyFolder(): Promise<string> {
  const folder = join(root, `${made++}`);
  await mkdir(folder);
  return folder;
}
const request = (folders: string[], bytes = 100) => ({ bytes, folders, remedy: "make room" });

describe("a scratch file", () => {
  it("has its parts where pages begin, and is gone afterwards with all that belongs to it", async () => {
    const folder = await emptyFolder();
    const file = await ScratchFile.create(request([folder]));
    const places = [
      await file.append(Uint8Array.of(1, 2, 3)),
      await file.append(new Uint8Array(4096).fill(7)),
      await file.append(Uint8Array.of(9)),
    ];
    expect(places).toEqual([0, 4096, 8192]);
    const bytes = await readFile(file.path);
    expect([...bytes.subarray(0, 4), bytes[4095], bytes[4096], bytes[8191], bytes[8192]]).toEqual([
      ...[1, 2, 3, 0, 0, 7, 7, 9],
    ]);
    expect(bytes.byteLength).toBe(8193);
    await file[Symbol.asyncDispose]();
    await file[Symbol.asyncDispose]();
    expect(file.remains).toBe(false);
    expect(await readdir(folder)).toEqual([]);
  });

  it("is made in the first folder that will do", async () => {
    const [plain, folder] = [join(root, "plain"), await emptyFolder()];
    await writeFile(plain, "");
    const folders = [join(root, "none"), plain, folder, await emptyFolder()];
    await using file = await ScratchFile.create(request(folders));
    expect(file.folder).toBe(folder);
  });

  it("is refused with the numbers of every folder when none has room", async () => {
    const folder = await emptyFolder();
    await expect(ScratchFile.create(request([folder, folder, join(root, "none")], 2 ** 60))).rejects.toThrow(
      /up to 1152921504\.6 GB for a moment, but \S+ has [\d.]+ GB free, \S+none is not there \(make room\)$/,
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it.skipIf(process.platform !== "linux")("is not put into memory", async () => {
    await expect(ScratchFile.create(request(["/dev/shm"]))).rejects.toThrow("/dev/shm is kept in memory");
  });

  it("says what to do when the disk is full after all", async () => {
    const folder = await emptyFolder();
    const handle = await open(join(root, "any"), "w");
    const prototype = Object.getPrototypeOf(handle) as typeof handle;
    await handle.close();
    const full = Object.assign(new Error("no space left"), { code: "ENOSPC" });
    {
      await using file = await ScratchFile.create(request([folder]));
      vi.spyOn(prototype, "write").mockRejectedValueOnce(full);
      await expect(file.append(Uint8Array.of(1))).rejects.toThrow(
        `${folder}: cannot be written: the disk is full (make room)`,
      );
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it("of a killed process is removed by the next, others are left", async () => {
    const folder = await emptyFolder();
    const [abandoned, used] = ["0a", "0b"].map((id) => partialName("nextstep-scratch", id)) as [
      string,
      string,
    ];
    const other = partialName("something-else", "0a");
    for (const name of [abandoned, used, other]) await writeFile(join(folder, name), "");
    await using lock = await ProcessLock.acquire(folder, () => new Error() as never, used);
    await using file = await ScratchFile.create(request([folder]));
    const left = (await readdir(folder)).filter((name) => name.includes(".partial-"));
    expect(lock).toBeDefined();
    expect(left.sort()).toEqual([used, other, file.path.slice(folder.length + 1)].sort());
  });
});
