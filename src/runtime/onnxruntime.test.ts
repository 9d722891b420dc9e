/** @file What the engine's library does beside computing: nothing. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

/** Just below the longest argument that Linux takes. */
const LONG_PROMPT = "apple ".repeat(20_000);

const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

it.each([
  ["LocalEngine", "new LocalEngine()"],
  ["WorkerEngine", "WorkerEngine.create()"],
])("%s leaves the home folder and the command line alone", async (_name, create) => {
  const script = `
    import { LocalEngine } from ${here("./local-engine.ts")};
    import { WorkerEngine } from ${here("./worker-engine.ts")};
    import { writeOnnx } from ${here("../graph/onnx-writer.ts")};
    import { input } from ${here("../graph/value.ts")};
    import { add } from ${here("../graph/operators/elementwise.ts")};
    const x = input("x", "float32", [2]);
    const engine = ${create};
    const session = await engine.createSession(writeOnnx({ y: add(x, x) }, { parameters: "inputs" }));
    const { y } = await session.run({ x: { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) } });
    console.log(y.data.join());
    await engine[Symbol.asyncDispose]();`;
  const home = await mkdtemp(join(tmpdir(), "nextstep-home-"));
  try {
    const { ORT_DISABLE_TELEMETRY: _, ...environment } = process.env;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "-e", script, LONG_PROMPT],
      { env: { ...environment, HOME: home, XDG_CACHE_HOME: join(home, "cache") } },
    );
    expect(stdout).toBe("2,4\n");
    expect(await readdir(home)).toEqual([]);
  } finally {
    await rm(home, { recursive: true });
  }
});
