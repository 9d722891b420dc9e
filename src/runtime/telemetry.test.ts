import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const here = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);

it.each([
  ["worker engine", "worker-engine.ts", "WorkerEngine.create()"],
  ["local engine", "local-engine.ts", "new LocalEngine()"],
])("the %s leaves nothing in the home folder, where the library would keep a device id", async (...entry) => {
  const [, file, create] = entry;
  const script = `
    import * as engines from ${here(`./${file}`)};
    import { writeOnnx } from ${here("../graph/onnx-writer.ts")};
    import { input, parameter } from ${here("../graph/value.ts")};
    import { add } from ${here("../graph/operators/elementwise.ts")};
    const { WorkerEngine, LocalEngine } = engines;
    const engine = ${create};
    const graph = writeOnnx({ y: add(input("x", "float32", [2]), parameter("w", [2])) }, { parameters: "initializers" });
    const session = await engine.createSession(graph, () => Float32Array.of(1, 2));
    const { y } = await session.run({ x: { dtype: "float32", shape: [2], data: Float32Array.of(1, 1) } });
    // The library's report is written in the background.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await engine[Symbol.asyncDispose]();
    console.log(y.data.join());`;
  const home = await mkdtemp(join(tmpdir(), "home-"));
  try {
    const { ORT_DISABLE_TELEMETRY: _, XDG_CACHE_HOME: __, ...rest } = process.env;
    const flags = ["--import", "tsx", "--input-type=module", "-e", script];
    const { stdout } = await promisify(execFile)(process.execPath, flags, { env: { ...rest, HOME: home } });
    expect(stdout.trim()).toBe("2,3");
    expect(await readdir(home)).toEqual([]);
  } finally {
    await rm(home, { recursive: true });
  }
});
