import { describe, expect, it } from "vitest";
import { readEvents, type StreamEvent } from "./event-stream.ts";

function bodyOf(...parts: readonly (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(typeof part === "string" ? encoder.encode(part) : part);
      controller.close();
    },
  });
}

async function all(body: ReadableStream<Uint8Array>): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of readEvents(body)) events.push(event);
  return events;
}

describe("readEvents", () => {
  it("reads events by name, passes over comments, and calls those without a name messages", async () => {
    const events = await all(bodyOf(': ok\n\nevent: job\ndata: {"a":1}\n\n: ping\n\ndata: [DONE]\n\n'));
    expect(events).toEqual([
      { event: "job", data: '{"a":1}' },
      { event: "message", data: "[DONE]" },
    ]);
  });

  it("joins lines of data, and takes one space behind the colon alone", async () => {
    expect(await all(bodyOf("data:  a\ndata:b\ndata\n\n"))).toEqual([{ event: "message", data: " a\nb\n" }]);
  });

  it("comes to the same however the bytes are cut", async () => {
    const bytes = new TextEncoder().encode("event: job\r\ndata: ü\r\n\r\nevent: job\r\ndata: 2\r\n\r\n");
    const parts = Array.from(bytes, (byte) => Uint8Array.of(byte));
    expect(await all(bodyOf(...parts))).toEqual([
      { event: "job", data: "ü" },
      { event: "job", data: "2" },
    ]);
  });

  it("drops an event that was cut off", async () => {
    expect(await all(bodyOf("data: whole\n\ndata: half\n"))).toEqual([{ event: "message", data: "whole" }]);
  });

  it("cancels the body when its reader stops, and refuses an event without end", async () => {
    let isCancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n")),
      cancel: () => {
        isCancelled = true;
      },
    });
    for await (const _ of readEvents(endless)) break;
    expect(isCancelled).toBe(true);
    const long = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1 << 20).fill(97)),
    });
    await expect(all(long)).rejects.toThrow("does not end");
  });
});
