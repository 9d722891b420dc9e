import { expect, it } from "vitest";
import { InputError } from "../../errors.ts";
import { FaultySamples } from "./faulty-samples.ts";
import { SampleError } from "./sample-error.ts";

const fault = (key: string) => new SampleError({ tar: "a.tar", key }, "has no caption");

it("names every faulty sample once, and refuses when a share is exceeded", () => {
  const faults = new FaultySamples(0.2);
  faults.leaveOut(fault("k1"), { set: "train", index: 1, of: 10 });
  faults.leaveOut(fault("k1"), { set: "train", index: 1, of: 10 });
  faults.leaveOut(fault("k2"), { set: "train", index: 2, of: 10 });
  expect(faults.take()).toEqual([
    { message: "a.tar: k1: has no caption", faulty: 1, samples: 10 },
    { message: "a.tar: k2: has no caption", faulty: 2, samples: 10 },
  ]);
  expect(faults.take()).toEqual([]);
  expect(() => faults.leaveOut(fault("k3"), { set: "train", index: 3, of: 10 })).toThrow(
    /3 of 10 samples.*0.2.*a.tar: k3.*maxFaultyShare/,
  );
});

it("passes on what is no fault of a sample", () => {
  const error = new InputError("can no longer be read");
  expect(() => new FaultySamples(1).leaveOut(error, { set: "train", index: 0, of: 1 })).toThrow(error);
});
