/** @file Puts the bytes of one answer into the blocks that still lack them. */
import { createHash, type Hash } from "node:crypto";
import { BLOCK_BYTES, type IncompleteFile } from "./incomplete-file.ts";

/**
 * Takes bytes in the order of the file, from wherever an answer begins; what is there already is passed over. A block
 * that an answer leaves half done is gone on with at the next one.
 */
export class BlockWriter {
  readonly #file: IncompleteFile;
  readonly #onFinished: (block: number) => void;
  #half: { readonly block: number; readonly hash: Hash; end: number } | undefined;

  constructor(file: IncompleteFile, onFinished: (block: number) => void) {
    this.#file = file;
    this.#onFinished = onFinished;
  }

  /** The first byte of `block` or behind it that is not on the disk. */
  nextNeeded(block: number): number {
    let at = block;
    while (this.#file.has(at)) at++;
    return this.#half?.block === at ? this.#half.end : Math.min(at * BLOCK_BYTES, this.#file.bytes);
  }

  /**
   * @param position of the first of `bytes` in the file; all of them lie inside it.
   * @returns how many were new.
   */
  async take(position: number, bytes: Uint8Array): Promise<number> {
    let written = 0;
    for (let done = 0; done < bytes.length; ) {
      const at = position + done;
      const block = Math.floor(at / BLOCK_BYTES);
      const blockEnd = block * BLOCK_BYTES + this.#file.bytesOf(block);
      const next = Math.min(blockEnd, position + bytes.length);
      const needed = this.#file.has(block) ? blockEnd : this.#begin(block).end;
      if (needed < next) {
        const part = bytes.subarray(done + needed - at, next - position);
        await this.#append(needed, part);
        written += part.length;
      }
      done = next - position;
    }
    return written;
  }

  /** The block being written; another one that was left half done is forgotten. */
  #begin(block: number): { readonly hash: Hash; end: number } {
    if (this.#half?.block !== block) {
      this.#half = { block, hash: createHash("sha256"), end: block * BLOCK_BYTES };
    }
    return this.#half;
  }

  async #append(position: number, bytes: Uint8Array): Promise<void> {
    const half = this.#half!;
    await this.#file.write(position, bytes);
    half.hash.update(bytes);
    half.end += bytes.length;
    if (half.end < half.block * BLOCK_BYTES + this.#file.bytesOf(half.block)) return;
    this.#half = undefined;
    await this.#file.finish(half.block, half.hash.digest("hex"));
    this.#onFinished(half.block);
  }
}
