import { describe, expect, it } from "vitest";
import { InputError } from "../../errors.ts";
import { SizePolicy, type SizePolicyOptions } from "./size-policy.ts";

const px = (width: number, height: number) => ({ width, height });
const policy = (sizes: [number, number][] | undefined, options: SizePolicyOptions = {}, own = px(512, 512)) =>
  new SizePolicy({ tokenSide: 16, size: own, trained: sizes === undefined ? {} : { sizes } }, options);
const nativeOf = (rule: SizePolicy, width: number, height: number) => rule.settle(px(width, height)).native;

describe("sizes of a model that names those it was trained on", () => {
  const one = policy([[128, 128]], {}, px(128, 128));

  it.each([
    [128, 128],
    [1024, 1024],
    [1792, 1024],
    [64, 64],
    [96, 160],
    [1, 16384],
    [1000, 7],
  ])("%i x %i is drawn at the one size there is", (width, height) => {
    expect(one.settle(px(width, height))).toEqual({ native: px(128, 128), asked: px(width, height) });
    expect(one.maxTokens).toBe(64);
  });

  it("takes the nearest in shape, and of one shape the nearest in pixels", () => {
    const several = policy([
      [256, 256],
      [512, 512],
      [384, 640],
      [640, 384],
    ]);
    expect(nativeOf(several, 1024, 1024)).toEqual(px(512, 512));
    expect(nativeOf(several, 100, 100)).toEqual(px(256, 256));
    expect(nativeOf(several, 1792, 1024)).toEqual(px(640, 384));
    expect(nativeOf(several, 1024, 1792)).toEqual(px(384, 640));
    expect(nativeOf(several, 384, 640)).toEqual(px(384, 640));
    expect(several.maxTokens).toBe(1024);
  });

  it("keeps within a bound that is set, which opens it to other sizes", () => {
    const bounded = policy(
      [
        [256, 256],
        [512, 512],
      ],
      { maxTokens: 400 },
    );
    expect(bounded.settle("auto")).toEqual({ native: px(256, 256), asked: px(256, 256) });
    expect(nativeOf(bounded, 512, 512)).toEqual(px(256, 256));
    expect(nativeOf(bounded, 320, 320)).toEqual(px(320, 320));
    expect(nativeOf(bounded, 321, 320)).toEqual(px(256, 256));
    expect(nativeOf(policy([[512, 512]], { maxTokens: 100 }), 512, 512)).toEqual(px(160, 160));
  });
});

describe("sizes of a model that names none", () => {
  const any = policy(undefined);

  it("draws whole tokens as they are asked for", () => {
    expect(any.maxTokens).toBe(4096);
    expect(any.settle("auto")).toEqual({ native: px(512, 512), asked: px(512, 512) });
    for (const [width, height] of [
      [1024, 1024],
      [16, 16],
      [256, 4096],
    ] as const) {
      expect(nativeOf(any, width, height)).toEqual(px(width, height));
    }
  });

  it("draws others as whole tokens of nearly the same shape, within the bound", () => {
    expect(nativeOf(any, 1000, 700)).toEqual(px(1008, 704));
    expect(nativeOf(any, 1792, 1024)).toEqual(px(1360, 768));
    for (let width = 1; width <= 16384; width = Math.ceil(width * 1.7)) {
      for (let height = 1; height <= 16384; height = Math.ceil(height * 1.9)) {
        const native = nativeOf(any, width, height);
        expect(native.width % 16).toBe(0);
        expect(native.height % 16).toBe(0);
        expect(any.tokens(native)).toBeGreaterThanOrEqual(1);
        expect(any.tokens(native)).toBeLessThanOrEqual(4096);
        // What is drawn as asked stays so: nobody is stretched twice.
        expect(nativeOf(any, native.width, native.height)).toEqual(native);
      }
    }
  });

  it("holds for a model of one token", () => {
    expect(nativeOf(policy(undefined, { maxTokens: 1 }), 1024, 16)).toEqual(px(16, 16));
  });
});

describe("strict sizes", () => {
  it("refuse others by name", () => {
    const strict = policy([[128, 128]], { strict: true });
    expect(nativeOf(strict, 128, 128)).toEqual(px(128, 128));
    expect(() => strict.settle(px(1024, 1024))).toThrow(InputError);
    expect(() => strict.settle(px(1024, 1024))).toThrow("size: 1024 x 1024 is not drawn (use 128 x 128)");
    expect(() => policy(undefined, { strict: true }).settle(px(1000, 700))).toThrow(
      "use any whole multiple of 16 x 16 up to 1048576 pixels",
    );
  });
});
