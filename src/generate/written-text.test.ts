import { describe, expect, it } from "vitest";
import { AbortedError, InputError } from "../errors.ts";
import { GrowingText, type TextSource } from "./written-text.ts";

async function* source(onEnd: () => void = () => {}): TextSource {
  try {
    yield "a ";
    yield "red ";
    yield "apple";
    return "length";
  } finally {
    onEnd();
  }
}

describe("GrowingText", () => {
  it("gives pieces, the whole and the reason to everyone who asks", async () => {
    const text = new GrowingText(source());
    const pieces: string[] = [];
    for await (const piece of text) pieces.push(piece);
    expect(pieces).toEqual(["a ", "red ", "apple"]);
    expect(await Promise.all([text.text(), text.text(), text.finishReason()])).toEqual([
      "a red apple",
      "a red apple",
      "length",
    ]);
    const again: string[] = [];
    for await (const piece of text) again.push(piece);
    expect(again).toEqual(pieces);
  });

  it("gives the whole also when an iterator was taken and not used", async () => {
    const text = new GrowingText(source());
    text[Symbol.asyncIterator]();
    expect(await text.text()).toBe("a red apple");
  });

  it("stops the work when an iteration is left early", async () => {
    let ended = false;
    const text = new GrowingText(
      source(() => {
        ended = true;
      }),
    );
    for await (const piece of text) if (piece === "red ") break;
    expect(ended).toBe(true);
    await expect(text.text()).rejects.toThrow(AbortedError);
  });

  it("gives everyone the error that ended it", async () => {
    const text = new GrowingText(
      (async function* (): TextSource {
        yield "a";
        throw new InputError("broke");
      })(),
    );
    await expect(text.text()).rejects.toThrow(InputError);
    await expect(text.finishReason()).rejects.toThrow(/broke/);
  });
});
