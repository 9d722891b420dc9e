/**
 * @file Takes the picture of the page that the README shows, of the built server with the default model: a sheet that is
 * half written, a queue, and a shelf. `npm run studio-picture -- [FILE]` after `npm run build`; default: docs/studio.png.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { launchBrowser, openPage } from "./browser.ts";

const COMMAND = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const [file = fileURLToPath(new URL("../../docs/studio.png", import.meta.url))] = process.argv.slice(2);
const SHELF = [
  "a red apple",
  "a cat",
  "a rocket",
  "a tulip",
  "an octopus",
  "a hot air balloon",
  "an owl",
  "a cactus",
];
const SHEET = { prompt: "a penguin", seed: 7, steps: 300, previews: "rows" };
const WAITING = ["two green cars", "a fox on a yellow background"];
/** For all that is drawn. */
const PATIENCE_MS = 600_000;

const store = await mkdtemp(join(tmpdir(), "nextstep-studio-"));
const server = spawn(
  process.execPath,
  [COMMAND, "serve", "--port", "0", "--store", store, "--max-batch", "1"],
  {
    stdio: ["ignore", "pipe", "ignore"],
  },
);
const browser = await launchBrowser();
try {
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: server.stdout }).on("line", (line) =>
      resolve(line.replace("listening on ", "")),
    );
    server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  const order = async (body: object): Promise<string> => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${url}/v1/jobs`, { method: "POST", headers, body: JSON.stringify(body) });
    const { id }: { readonly id: string } = JSON.parse(await answer.text());
    return id;
  };
  const ended = async (id: string): Promise<unknown> => (await fetch(`${url}/v1/jobs/${id}/events`)).text();
  for (const [seed, prompt] of SHELF.entries()) await ended(await order({ prompt, seed }));
  const sheet = await order(SHEET);
  for (const prompt of WAITING) await order({ prompt, seed: 1 });
  await using opened = await openPage(browser, `${url}/#job=${sheet}`, {
    viewport: { width: 1280, height: 900 },
  });
  const { page } = opened;
  await page.getByLabel("prompt").fill(SHEET.prompt);
  await page
    .locator(".words")
    .getByText(/row [5-6] of 8|row (9|10) of 16/)
    .waitFor({ timeout: PATIENCE_MS });
  await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)");
  await page.screenshot({ path: file });
  process.stdout.write(`${file}\n`);
} finally {
  await browser.close();
  const gone = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGKILL");
  await gone;
  await rm(store, { recursive: true, force: true });
}
