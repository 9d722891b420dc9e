import { getEventListeners } from "node:events";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { nodePlatform } from "../node/platform.ts";
import { relayed } from "./abort.ts";
import { Model } from "./model.ts";
import { testModelPath } from "./test-models.ts";

describe("a relay", () => {
  it("fires with the first of its sources, with that one's reason", () => {
    const [one, other] = [new AbortController(), new AbortController()];
    using relay = relayed(one.signal, undefined, other.signal);
    const reason = new Error("enough");
    other.abort(reason);
    one.abort(new Error("late"));
    expect(relay.signal.reason).toBe(reason);
  });

  it("has fired at once where a source has", () => {
    const reason = new Error("before");
    using relay = relayed(new AbortController().signal, AbortSignal.abort(reason));
    expect(relay.signal.reason).toBe(reason);
  });

  it("leaves nothing behind, and does not fire any more", () => {
    const source = new AbortController();
    const relay = relayed(source.signal);
    expect(getEventListeners(source.signal, "abort")).toHaveLength(1);
    relay[Symbol.dispose]();
    expect(getEventListeners(source.signal, "abort")).toHaveLength(0);
    source.abort();
    expect(relay.signal.aborted).toBe(false);
  });
});

describe("a model's calls", () => {
  let model: Model;
  beforeAll(async () => {
    model = await Model.open(nodePlatform, testModelPath("v1.1"), { threads: 1 });
  });
  afterAll(() => model.close());

  it("leave nothing behind on signals that outlive them", async () => {
    const { signal } = new AbortController();
    const derived = vi.spyOn(AbortSignal, "any");
    const photo = { width: 32, height: 32, data: new Uint8Array(32 * 32 * 3).fill(90) };
    const size = { width: 32, height: 32 };
    await model.draw("rain", { steps: 2, size, signal, images: [photo] });
    await model.caption(photo, { maxTokens: 2, signal }).text();
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    expect(derived).not.toHaveBeenCalled();
    derived.mockRestore();
  });
});
