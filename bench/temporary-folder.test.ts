import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TemporaryFolder } from "./temporary-folder.ts";

const MODULE = new URL("temporary-folder.ts", import.meta.url).href;

describe("TemporaryFolder", () => {
  let parent: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "nextstep-test-"));
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  /** A process that makes a folder and stays; its folder. */
  async function held() {
    const program = `
      const { TemporaryFolder } = await import(${JSON.stringify(MODULE)});
      const folder = await TemporaryFolder.create(${JSON.stringify(parent)});
      process.stdout.write(folder.path);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program]);
    const [path] = (await once(child.stdout, "data")) as [Buffer];
    return { child, path: path.toString() };
  }

  it("is gone when it is disposed", async () => {
    {
      await using folder = await TemporaryFolder.create(parent);
      expect(existsSync(folder.path)).toBe(true);
    }
    expect(await readdir(parent)).toEqual([]);
  });

  it.skipIf(process.platform === "win32")(
    "is gone when its process is told to end, by that signal",
    async () => {
      const { child, path } = await held();
      expect(existsSync(path)).toBe(true);
      child.kill("SIGTERM");
      expect(await once(child, "exit")).toEqual([null, "SIGTERM"]);
      expect(existsSync(path)).toBe(false);
    },
  );

  it("of a killed process is gone when the next one is made; that of a living one and other folders stay", async () => {
    const killed = await held();
    const living = await held();
    killed.child.kill("SIGKILL");
    await once(killed.child, "exit");
    await mkdir(join(parent, "nextstep-bench-of-somebody"));
    await using folder = await TemporaryFolder.create(parent);
    expect(existsSync(killed.path)).toBe(false);
    expect(existsSync(living.path)).toBe(true);
    expect(existsSync(join(parent, "nextstep-bench-of-somebody"))).toBe(true);
    expect(existsSync(folder.path)).toBe(true);
    living.child.kill("SIGKILL");
    await once(living.child, "exit");
  });
});
