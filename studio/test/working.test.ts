import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeImage } from "../../src/files/decode-image.ts";
import type { DrawRequest } from "../../src/serve/contract/draw-request.ts";
import { startTestServer, type TestServer } from "../../src/serve/http/test-server.ts";
import { launchBrowser, openPage } from "./browser.ts";
import { BUILT } from "./serve-page.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** The server's own routes over rooms in memory; pictures are 64 x 64, four by four cells. */
async function serverWithPicture(): Promise<TestServer> {
  const server = await startTestServer({ pageFolder: BUILT });
  await drawn(server, { prompt: "a ship", seed: 7 });
  return server;
}

async function drawn(server: TestServer, body: object): Promise<void> {
  const count = server.gallery.entries.length;
  expect((await server.post("/v1/jobs", body)).status).toBe(202);
  await expect.poll(() => server.gallery.entries.length).toBe(count + 1);
}

async function openPicture(page: Page): Promise<void> {
  await page.getByRole("region", { name: "Shelf" }).getByRole("button").first().click();
  await page.getByRole("button", { name: "Brush over cells" }).waitFor();
}

/**
 * Presses a button that orders a picture, and waits until the page has turned to the job: before that, going to a picture's
 * address would be overtaken by the answer.
 */
async function order(page: Page, name: string): Promise<void> {
  const before = page.url();
  await page.getByRole("button", { name }).click();
  await page.waitForURL(({ href }) => href !== before);
}

function lastRequest(server: TestServer): DrawRequest {
  return server.queue.jobs.at(-1)?.record.request as DrawRequest;
}

async function requested(server: TestServer, count: number): Promise<DrawRequest> {
  await expect.poll(() => server.queue.jobs.length).toBe(count);
  return lastRequest(server);
}

describe("a picture of the shelf", () => {
  it("is brushed, and only the brushed cells are opened", async () => {
    await using server = await serverWithPicture();
    await using opened = await openPage(browser, server.url);
    const { page, faults } = opened;
    await openPicture(page);
    await page.getByRole("button", { name: "Brush over cells" }).click();
    const surface = page.getByRole("application");
    const box = await surface.boundingBox();
    if (box === null) throw new Error("nothing to brush on");
    const at = (column: number, row: number) =>
      [box.x + ((column + 0.5) * box.width) / 4, box.y + ((row + 0.5) * box.height) / 4] as const;
    await page.mouse.move(...at(1, 1));
    await page.mouse.down();
    await page.mouse.move(...at(3, 1));
    await page.mouse.up();
    await page.getByRole("button", { name: "Rewrite 3 cells" }).click();

    const { task, prompt, images, ground, asked } = await requested(server, 2);
    expect([task, prompt, asked]).toEqual(["edit", "a ship", { width: 64, height: 64 }]);
    expect(images).toEqual([server.gallery.entries[0]?.blob]);
    if (ground?.kind !== "mask") throw new Error("no mask was sent");
    expect(ground.opens).toBe("white");
    const { data } = await decodeImage((await server.store.get(ground.mask)) as Uint8Array, "mask");
    const cells = Array.from({ length: 16 }, (_, cell) => {
      const [x, y] = [(cell % 4) * 16 + 8, Math.floor(cell / 4) * 16 + 8];
      return data[3 * (y * 64 + x)] === 255 ? 1 : 0;
    });
    expect(cells).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(faults).toEqual([]);
  });

  it("is extended by dragging a side", async () => {
    await using server = await serverWithPicture();
    await using opened = await openPage(browser, server.url);
    const { page, faults } = opened;
    await openPicture(page);
    await page.getByRole("button", { name: "Extend the sheet" }).click();
    const side = page.getByRole("slider", { name: "Cells to add at the left" });
    const before = await side.boundingBox();
    const sheet = await page.locator(".cells").first().boundingBox();
    if (before === null || sheet === null) throw new Error("nothing to drag");
    const [x, y] = [before.x + before.width / 2, before.y + 10];
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x - (2 * sheet.width) / 4, y, { steps: 4 });
    await page.mouse.up();
    expect(await side.getAttribute("aria-valuenow")).toBe("2");
    await page.getByRole("slider", { name: "Cells to add at the bottom" }).press("ArrowDown");
    // Two columns of four, and a row below of six.
    await page.getByRole("button", { name: "Write 14 new cells" }).click();
    const { asked, ground, task } = await requested(server, 2);
    expect([task, asked, ground]).toEqual([
      "edit",
      { width: 96, height: 80 },
      { kind: "place", left: 2, top: 0 },
    ]);
    expect(faults).toEqual([]);
  });

  it("is written on from a row with another prompt, and varied", async () => {
    await using server = await serverWithPicture();
    await using opened = await openPage(browser, server.url);
    const { page, faults } = opened;
    await openPicture(page);
    const rows = page.getByRole("slider", { name: "Rows to keep" });
    const box = await rows.boundingBox();
    if (box === null) throw new Error("the margin is not there");
    await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    await page.getByLabel("prompt").fill("an apple");
    const picture = server.gallery.entries[0]?.id;
    await order(page, "Write on from row 3");
    expect(await requested(server, 2)).toMatchObject({
      task: "variation",
      prompt: "an apple",
      ground: { kind: "rows", picture, rows: 2 },
    });
    await page.goto(`${server.url}/#picture=${picture}`);
    await page.locator(".words h2").getByText("a ship").waitFor();
    await page.getByRole("button", { name: "Vary" }).click();
    expect(await requested(server, 3)).toMatchObject({
      task: "variation",
      prompt: "a ship",
      ground: { kind: "rows", picture, rows: 1 },
    });
    expect(lastRequest(server).seed).not.toBe(7);
    expect(faults).toEqual([]);
  });

  it("is edited by instruction, repeated, and compared with another", async () => {
    await using server = await serverWithPicture();
    await drawn(server, { prompt: "an apple", seed: 3, steps: 5 });
    const apple = server.gallery.entries.at(-1)?.id;
    await using opened = await openPage(browser, server.url);
    const { page, faults } = opened;
    await openPicture(page);
    await page.getByRole("button", { name: "Edit by instruction" }).click();
    await page.getByLabel("edit", { exact: true }).fill("make it blue");
    await order(page, "Draw the edit");
    expect(await requested(server, 3)).toMatchObject({ task: "edit", ground: null, readImages: true });
    expect(lastRequest(server).prompt).toContain("make it blue");

    await page.goto(`${server.url}/#picture=${apple}`);
    await page.locator(".words h2").getByText("an apple").waitFor();
    await order(page, "Repeat");
    expect(await requested(server, 4)).toMatchObject({ prompt: "an apple", seed: 3, settings: { steps: 5 } });

    await page.goto(`${server.url}/#picture=${apple}`);
    await page.locator(".words h2").getByText("an apple").waitFor();
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByRole("region", { name: "Shelf" }).getByRole("button", { name: "a ship, seed 7" }).click();
    const cells = await page.getByRole("table").getByRole("cell").allTextContents();
    expect(cells.slice(0, 4)).toEqual(["an apple", "a ship", "3", "7"]);
    expect(faults).toEqual([]);
  });

  it("gives its recipe to the fields when its file is dropped, also where it is in no gallery", async () => {
    await using server = await serverWithPicture();
    const [entry] = server.gallery.entries;
    const bytes = (await server.store.get(entry?.blob ?? "")) as Uint8Array;
    await using opened = await openPage(browser, server.url);
    const { page, faults } = opened;
    await page.getByText("Nothing waits.").waitFor();
    const drop = async (content: Uint8Array, name: string): Promise<void> => {
      const held = await page.evaluateHandle(
        ([base64, title]) => {
          const data = new DataTransfer();
          const file = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
          data.items.add(new File([file], title, { type: "image/png" }));
          return data;
        },
        [Buffer.from(content).toString("base64"), name] as const,
      );
      await page.dispatchEvent("main", "drop", { dataTransfer: held });
    };
    await drop(bytes, "ship.png");
    await expect.poll(() => page.getByLabel("prompt").inputValue()).toBe("a ship");
    expect(await page.getByLabel("seed", { exact: true }).inputValue()).toBe("7");
    await page.getByRole("button", { name: "Write on from a row" }).waitFor();

    server.gallery.entries.length = 0;
    await page.getByLabel("prompt").fill("");
    await drop(bytes, "ship.png");
    await expect.poll(() => page.getByLabel("prompt").inputValue()).toBe("a ship");
    await page.getByText("Its recipe stands in the fields.").waitFor();

    await drop(new TextEncoder().encode("no picture"), "no.png");
    await page.getByRole("alert").waitFor();
    expect(faults).toEqual([]);
  });
});
