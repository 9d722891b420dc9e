import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { listenForInterrupts } from "./interrupt.ts";

describe("listenForInterrupts", () => {
  it.each([
    ["SIGHUP", 129],
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])("aborts at %s with exit code %d", (name, code) => {
    const process = new EventEmitter();
    const interrupt = listenForInterrupts(process, []);
    expect(interrupt.signal.aborted).toBe(false);
    process.emit(name);
    expect(interrupt.signal.aborted).toBe(true);
    expect(interrupt.exitCode).toBe(code);
    // The next one is the system's.
    expect(process.listenerCount(name)).toBe(0);
  });

  it("aborts when a stream's reader has gone, however often it is written to after that", () => {
    const stream = new EventEmitter();
    const interrupt = listenForInterrupts(new EventEmitter(), [stream]);
    for (let i = 0; i < 3; i++) stream.emit("error", new Error("write EPIPE"));
    expect(interrupt.signal.aborted).toBe(true);
    expect(interrupt.exitCode).toBe(141);
  });
});
