/** @file Jobs for tests. */
import type { Entry, Job } from "./api/answers.ts";

export function testJob(fields: Partial<Job> & { readonly id: string }): Job {
  return {
    status: "queued",
    created: 0,
    started: null,
    completed: null,
    queue_position: null,
    progress: null,
    preview: null,
    pictures: [],
    error: null,
    request: { prompt: fields.id, n: 1, seed: 1, size: "128x128", native_size: "128x128", images: [] },
    ...fields,
  };
}

export function testEntry(fields: Partial<Entry> = {}): Entry {
  const settings = { cfg: 2.5, steps: 16, cfg_img: 1 };
  return {
    id: "one",
    job: "job",
    created: 1_700_000_000,
    width: 128,
    height: 128,
    native_size: "128x128",
    prompt: "a dog",
    seed: 7,
    settings,
    notes: [],
    task: "generation",
    url: "/v1/images/one/content",
    thumbnail_url: "/v1/images/one/thumbnail",
    bytes: 1,
    recipe: {
      prompt: "a dog",
      seed: 7,
      width: 128,
      height: 128,
      settings: { cfg: 2.5, steps: 16, cfgImg: 1 },
      model: "m",
    },
    ...fields,
  };
}
