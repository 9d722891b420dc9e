/** @file What a request may take at most. Each bound is a constant with its reason, or an option of the command. */
import type { BodyPace } from "./body-pace.ts";

export interface ServerLimits {
  /** Bytes of a body that carries pictures. */
  readonly bodyBytes: number;
  /** Bytes of a body of JSON without pictures. */
  readonly jsonBytes: number;
  /** Bytes of bodies that are being read, of all requests together. */
  readonly bodiesBytes: number;
  readonly bodyPace: BodyPace;
  /** Pixels of an input picture. */
  readonly inputPixels: number;
  /** Pixels of an answered picture. */
  readonly pixels: number;
  /** Characters of a prompt. */
  readonly promptCharacters: number;
  /** Pictures of a request. */
  readonly pictures: number;
  readonly images: number;
  /** Milliseconds between two signs of life of a stream: proxies and clients give up after a minute or five. */
  readonly pingMs: number;
  /** Milliseconds after which a client that takes nothing of its answer is cut off. */
  readonly stallMs: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  // OpenAI takes 50 MB a picture; a mask and a second one have room beside.
  bodyBytes: 128 * 2 ** 20,
  // 32,000 characters, each as its longest escape, several times over.
  jsonBytes: 2 ** 20,
  bodiesBytes: 512 * 2 ** 20,
  // Any line that a picture is worth sending over.
  bodyPace: { graceMs: 20_000, bytesPerSecond: 1000 },
  // 64 megapixels are 192 MB of RGB.
  inputPixels: 2 ** 26,
  // 2048 x 2048.
  pixels: 2 ** 22,
  promptCharacters: 32_000,
  pictures: 10,
  images: 16,
  pingMs: 10_000,
  stallMs: 60_000,
};
