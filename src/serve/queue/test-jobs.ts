/** @file Requests and pictures for tests of the queue. */
import { PLAIN_SETTINGS } from "../../generate/settings.ts";
import type { DrawRequest } from "../contract/draw-request.ts";
import type { NewPicture } from "../contract/gallery.ts";
import type { JobProgress, JobUsage, NewJob } from "../contract/job.ts";

export const MODEL = "org/model";
export const USAGE: JobUsage = { textTokens: 3, inputImageTokens: 0, outputTokens: 64 };

export function testRequest(prompt = "a red apple", change: Partial<DrawRequest> = {}): DrawRequest {
  return {
    task: "generation",
    prompt,
    count: 1,
    seed: 7,
    native: { width: 128, height: 128 },
    asked: { width: 128, height: 128 },
    settings: {},
    images: [],
    readImages: false,
    ground: null,
    pasteBack: true,
    think: false,
    output: { format: "png", quality: 90 },
    previews: 0,
    ...change,
  };
}

export function testJob(prompt?: string, change: Partial<NewJob> = {}): NewJob {
  return { request: testRequest(prompt), model: MODEL, owner: null, idempotency: null, ...change };
}

export function testPicture(index: number, blob: string, change: Partial<NewPicture> = {}): NewPicture {
  const recipe = {
    version: 3,
    model: MODEL,
    prompt: "a red apple",
    seed: 7 + index,
    width: 128,
    height: 128,
    settings: PLAIN_SETTINGS,
  } as const;
  return {
    ...{ index, blob, tokens: blob, thumbnail: blob, bytes: 10, width: 128, height: 128, recipe, notes: [] },
    ...change,
  };
}

export function progressAt(token: number): JobProgress {
  return { token, of: 64, rows: Math.floor(token / 8), ofRows: 8, secondsLeft: null };
}
