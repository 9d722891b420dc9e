/** @file The Windows libraries of the engine load without what the package leaves out of them. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { importedLibraries } from "./pe-imports.ts";

const windows = join(dirname(fileURLToPath(import.meta.resolve("onnxruntime-node"))), "../bin/napi-v6/win32");
const LEFT_OUT = ["directml.dll", "dxcompiler.dll", "dxil.dll"];

describe.each(readdirSync(windows))("Windows on %s", (processor) => {
  const imports = (name: string) => importedLibraries(readFileSync(join(windows, processor, name)));

  it("loads the binding with the engine's library beside it", () => {
    expect(imports("onnxruntime_binding.node").atLoad).toContain("onnxruntime.dll");
  });

  it("asks for Direct3D only when it is used", () => {
    const { atLoad, delayed } = imports("onnxruntime.dll");
    expect(atLoad).toEqual(expect.arrayContaining(["kernel32.dll", "msvcp140.dll"]));
    expect(atLoad.filter((name) => LEFT_OUT.includes(name))).toEqual([]);
    expect(delayed).toContain("directml.dll");
  });
});

it("refuses what is no Windows image", () => {
  expect(() => importedLibraries(new Uint8Array(4096))).toThrow(RangeError);
});
