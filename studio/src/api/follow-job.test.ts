import { describe, expect, it } from "vitest";
import { testJob } from "../test-jobs.ts";
import type { Job } from "./answers.ts";
import { ApiError } from "./api-error.ts";
import { type FollowEvent, followJob, pauseAfter, sleep } from "./follow-job.ts";

/** A client whose connections go as told, one after the other: jobs, then the end or an error. */
function clientOf(...connections: readonly (readonly (Job | Error)[])[]) {
  const left = [...connections];
  return {
    async *jobEvents(): AsyncGenerator<Job> {
      for (const step of left.shift() ?? []) {
        if (step instanceof Error) throw step;
        yield step;
      }
    },
    left,
  };
}

async function follow(client: ReturnType<typeof clientOf>, signal = new AbortController().signal) {
  const events: FollowEvent[] = [];
  const pauses: number[] = [];
  const pause = async (milliseconds: number): Promise<void> => {
    pauses.push(milliseconds);
  };
  for await (const event of followJob(client, "a", signal, pause)) events.push(event);
  return { events: events.map((event) => (event.kind === "job" ? event.job.status : event.kind)), pauses };
}

const drawing = testJob({ id: "a", status: "drawing" });
const finished = testJob({ id: "a", status: "finished" });

describe("followJob", () => {
  it("ends with the job", async () => {
    expect((await follow(clientOf([drawing, finished]))).events).toEqual(["drawing", "finished"]);
  });

  it("goes on over broken connections, waiting longer each time until something is heard", async () => {
    const gone = new TypeError("fetch failed");
    const client = clientOf([drawing, gone], [gone], [], [drawing], [finished]);
    const { events, pauses } = await follow(client);
    expect(events).toEqual(["drawing", "lost", "lost", "lost", "drawing", "lost", "finished"]);
    expect(pauses).toEqual([500, 1000, 2000, 500]);
    expect(client.left).toEqual([]);
  });

  it("waits for a server that is starting, and gives up on a job that is unknown", async () => {
    const { events } = await follow(clientOf([new ApiError(503, "loading")], [finished]));
    expect(events).toEqual(["lost", "finished"]);
    await expect(follow(clientOf([new ApiError(404, "no job")]))).rejects.toThrow("no job");
  });

  it("stops without a word when nobody listens any more", async () => {
    const leaving = new AbortController();
    leaving.abort();
    expect((await follow(clientOf([drawing]), leaving.signal)).events).toEqual([]);
  });
});

describe("pauses", () => {
  it("grow to a bound", () => {
    expect([1, 2, 3, 5, 40].map(pauseAfter)).toEqual([500, 1000, 2000, 8000, 8000]);
  });

  it("end with their signal", async () => {
    const leaving = new AbortController();
    const slept = sleep(1e9, leaving.signal);
    leaving.abort();
    await slept;
    await sleep(1e9, leaving.signal);
  });
});
