import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, openPage } from "./browser.ts";

const COMMAND = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** Loading a model and drawing beside whatever else the machine does. */
const PATIENCE = { timeout: 90_000 };

let browser: Browser;
let store: string;
beforeAll(async () => {
  browser = await launchBrowser();
  store = await mkdtemp(join(tmpdir(), "nextstep-studio-"));
});
afterAll(async () => {
  await browser.close();
  await rm(store, { recursive: true, force: true });
});

interface Serving extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  kill(): Promise<void>;
}

/** `nextstep serve` with the default model, as it is built. */
async function serve(port: number): Promise<Serving> {
  const environment = { ...process.env };
  delete environment.DATABASE_URL;
  const child = spawn(process.execPath, [COMMAND, "serve", "--port", String(port), "--store", store], {
    stdio: ["ignore", "pipe", "pipe"],
    env: environment,
  });
  const url = await new Promise<string>((resolve, reject) => {
    let text = "";
    const read = (part: Buffer): void => {
      text += part.toString("utf8");
      const found = /listening on (http:\/\/\S+)/.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${text.slice(-2000)}`)));
  });
  const kill = (): Promise<void> => ended(child);
  return { url, port: Number(new URL(url).port), kill, [Symbol.asyncDispose]: kill };
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  return gone;
}

const finished = (page: Page) => page.getByRole("button", { name: "Write on from a row" }).waitFor(PATIENCE);

describe("the real server with the default model", () => {
  it("draws, is killed in the middle, and goes on with the picture under the open page", async () => {
    await using first = await serve(0);
    await using opened = await openPage(browser, first.url);
    const { page, faults } = opened;
    await page.getByText("Nothing waits.").waitFor(PATIENCE);
    await page.getByLabel("prompt").fill("a red apple on a blu background");
    await page.getByText("The model does not know").waitFor();
    await page.getByRole("button", { name: "blue", exact: true }).click();
    expect(await page.getByLabel("prompt").inputValue()).toBe("a red apple on a blue background");
    // Steps enough that a fast machine, too, is in the middle of it when the server is killed.
    await page.getByRole("button", { name: "settings" }).click();
    await page.getByLabel("steps", { exact: true }).fill("400");
    await page.getByLabel("steps", { exact: true }).press("Tab");
    await page.getByRole("button", { name: "Draw" }).click();
    await page
      .locator(".words")
      .getByText(/row [2-8] of 8/)
      .waitFor(PATIENCE);
    await first.kill();
    await page.getByText("The connection is lost.").waitFor(PATIENCE);

    await using second = await serve(first.port);
    expect(second.url).toBe(first.url);
    await finished(page);
    expect(await page.locator(".words h2").textContent()).toBe("a red apple on a blue background");
    const shelf = page.getByRole("region", { name: "Shelf" }).getByRole("button");
    await expect.poll(() => shelf.count()).toBe(1);

    // What was drawn repeats, with the same bytes.
    const content = async (): Promise<string> => {
      const address = await page.getByRole("link", { name: "Download" }).getAttribute("href");
      const answer = await fetch(new URL(address ?? "", second.url));
      expect(answer.headers.get("content-disposition")).toMatch(/attachment; filename=".+\.png"/);
      return Buffer.from(await answer.arrayBuffer()).toString("base64");
    };
    const drawn = await content();
    await page.getByRole("button", { name: "Repeat" }).click();
    await page.getByRole("button", { name: "Cancel", exact: true }).waitFor(PATIENCE);
    await finished(page);
    expect(await content()).toBe(drawn);
    await expect.poll(() => shelf.count()).toBe(2);
    expect(faults).toEqual([]);
  }, 240_000);
});
