/** @file The few protocol buffer encodings that our files need: varints, floats, bytes, nested messages. */

import { joinedBytes } from "../tensor/joined.ts";

const UTF8 = new TextEncoder();

/** Collects one message's fields. Messages nest by passing a finished message to {@link MessageWriter.message}. */
export class MessageWriter {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  get byteLength(): number {
    return this.#length;
  }

  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#length += chunk.byteLength;
  }

  #tag(field: number, wireType: number): void {
    this.#push(varint(BigInt(field * 8 + wireType)));
  }

  /** int64, int32, enum: negative numbers as two's complement of 64 bits. */
  integer(field: number, value: number): void {
    this.#tag(field, 0);
    this.#push(varint(BigInt.asUintN(64, BigInt(value))));
  }

  double(field: number, value: number): void {
    this.#tag(field, 1);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.#push(bytes);
  }

  float(field: number, value: number): void {
    this.#tag(field, 5);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#push(bytes);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, 2);
    this.#push(varint(BigInt(value.byteLength)));
    this.#push(value);
  }

  string(field: number, value: string): void {
    this.bytes(field, UTF8.encode(value));
  }

  message(field: number, value: MessageWriter): void {
    this.#tag(field, 2);
    this.#push(varint(BigInt(value.#length)));
    for (const chunk of value.#chunks) this.#push(chunk);
  }

  finish(): Uint8Array<ArrayBuffer> {
    return joinedBytes(this.#chunks);
  }
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
