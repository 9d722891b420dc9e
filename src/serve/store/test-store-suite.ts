/** @file What holds for every store. */
import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataFormatError, InputError } from "../../errors.ts";
import type { BlobStore } from "../contract/blob-store.ts";
import { blobNameOf } from "./blob-name.ts";

/** Other bytes in every run, so that a store may be used again. */
function someBytes(length = 1000): Uint8Array {
  return new Uint8Array(randomBytes(length));
}

/** @param spoil changes the stored bytes behind the store's back. */
export function storeSuite(
  name: string,
  open: () => Promise<BlobStore>,
  spoil: (blob: string, bytes: Uint8Array) => Promise<void>,
): void {
  describe(`the store on ${name}`, () => {
    let store: BlobStore;
    beforeAll(async () => {
      store = await open();
    });
    afterAll(() => store[Symbol.asyncDispose]());

    async function modifiedOf(blob: string): Promise<number | undefined> {
      for await (const stored of store.list()) if (stored.name === blob) return stored.modified;
      return undefined;
    }

    test("bytes come back by their digest", async () => {
      for (const bytes of [someBytes(), new Uint8Array(), someBytes(3_000_000)]) {
        const blob = await store.put(bytes);
        expect(blob).toBe(blobNameOf(bytes));
        expect(Buffer.compare((await store.get(blob))!, bytes)).toBe(0);
      }
      expect(await store.get(blobNameOf(someBytes()))).toBeUndefined();
    });

    test("a part of an array is stored, not what it is a part of", async () => {
      const whole = someBytes(100);
      const blob = await store.put(whole.subarray(10, 20));
      expect(Buffer.compare((await store.get(blob))!, whole.subarray(10, 20))).toBe(0);
    });

    test("the same bytes at once are stored once", async () => {
      const bytes = someBytes(100_000);
      const names = await Promise.all(Array.from({ length: 8 }, () => store.put(bytes)));
      expect(new Set(names).size).toBe(1);
      expect(Buffer.compare((await store.get(names[0]!))!, bytes)).toBe(0);
    });

    test("all are listed with length and time", async () => {
      const blob = await store.put(someBytes(321));
      const found = [];
      for await (const stored of store.list()) if (stored.name === blob) found.push(stored);
      expect(found).toEqual([{ name: blob, bytes: 321, modified: expect.any(Number) }]);
      expect(Math.abs(found[0]!.modified - Date.now() / 1000)).toBeLessThan(3600);
    });

    test("a file is removed, unless it was stored again since", async () => {
      const bytes = someBytes();
      const blob = await store.put(bytes);
      await store.put(bytes);
      const modified = (await modifiedOf(blob))!;
      await store.remove(blob, modified - 10);
      expect(await store.get(blob)).toBeDefined();
      await store.remove(blob, modified + 10);
      expect(await store.get(blob)).toBeUndefined();
      await store.remove(blob);
      await store.remove(blob, modified);
      await store.put(bytes);
      await store.remove(blob);
      expect(await store.get(blob)).toBeUndefined();
    });

    test("other bytes than were stored are never handed out", async () => {
      const bytes = someBytes();
      const blob = await store.put(bytes);
      await spoil(blob, bytes.subarray(1));
      await expect(store.get(blob)).rejects.toThrow(DataFormatError);
      await spoil(blob, new Uint8Array(bytes.length));
      await expect(store.get(blob)).rejects.toThrow(blob);
      // Stored again, they are right again.
      await store.put(bytes);
      expect(Buffer.compare((await store.get(blob))!, bytes)).toBe(0);
    });

    test("a draft is replaced, and goes", async () => {
      const { drafts } = store;
      const job = randomUUID();
      expect(await drafts.get(job)).toBeUndefined();
      for (const length of [100, 50_000, 10]) {
        const bytes = someBytes(length);
        await drafts.put(job, bytes);
        expect(Buffer.compare((await drafts.get(job))!, bytes)).toBe(0);
      }
      const listed = [];
      for await (const draft of drafts.list()) if (draft.job === job) listed.push(draft);
      expect(listed).toEqual([{ job, modified: expect.any(Number) }]);
      await drafts.remove(job);
      await drafts.remove(job);
      expect(await drafts.get(job)).toBeUndefined();
    });

    test.each([
      "",
      ".",
      "..",
      "../../etc/passwd",
      "a/b",
      "A".repeat(64),
      `${"a".repeat(63)}\0`,
      "%2e%2e",
      "a\\b",
    ])("%j is no name", async (name) => {
      await expect(store.get(name)).rejects.toThrow(InputError);
      await expect(store.remove(name)).rejects.toThrow(InputError);
      await expect(store.drafts.get(name)).rejects.toThrow(InputError);
      await expect(store.drafts.put(name, new Uint8Array())).rejects.toThrow(InputError);
      await expect(store.drafts.remove(name)).rejects.toThrow(InputError);
    });
  });
}
