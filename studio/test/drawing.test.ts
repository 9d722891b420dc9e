import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, openPage } from "./browser.ts";
import { MockServer } from "./mock-server.ts";

/** Tokens of a row of the stand-in's pictures; beginning a job takes a step of its own. */
const ROW = 8;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

async function draw(page: Page, prompt: string): Promise<void> {
  await page.getByLabel("prompt").fill(prompt);
  await page.getByRole("button", { name: "Draw" }).click();
  await page.getByRole("button", { name: "Cancel", exact: true }).waitFor();
}

describe("drawing", () => {
  it("shows the picture row by row, and then what can be done with it", async () => {
    await using mock = await MockServer.start({ tokenMilliseconds: null });
    await using opened = await openPage(browser, mock.url);
    const { page, faults } = opened;
    await draw(page, "a red apple");
    expect(mock.asked).toMatchObject([{ prompt: "a red apple", n: 1, size: "128x128", task: "generation" }]);

    mock.write(1 + 3 * ROW + 2);
    const picture = page.locator("figure img");
    await page.locator(".words").getByText("row 4 of 8").waitFor();
    await expect.poll(() => picture.getAttribute("alt")).toBe("a red apple, the first 3 of 8 rows");
    expect(await page.title()).toBe("row 4 of 8 · a red apple");
    expect(await page.locator(".rows .is-now").textContent()).toBe("4");

    mock.write(5 * ROW);
    await page.getByRole("button", { name: "Write on from a row" }).waitFor();
    expect(await picture.getAttribute("alt")).toBe("a red apple");
    await expect
      .poll(() => picture.evaluate((image: HTMLImageElement) => image.complete && image.naturalWidth))
      .toBe(128);
    expect(await page.getByRole("region", { name: "Shelf" }).getByRole("button").count()).toBe(1);
    expect(faults).toEqual([]);
  });

  it("draws with the adapters that were given a scale", async () => {
    await using mock = await MockServer.start({ tokenMilliseconds: null });
    await using opened = await openPage(browser, mock.url);
    const { page, faults } = opened;
    await page.getByRole("button", { name: "settings" }).click();
    const scale = page.getByRole("group", { name: "Adapters" }).getByLabel("my-mug");
    await scale.fill("0.5");
    await scale.press("Tab");
    await page.getByRole("button", { name: "settings (1 changed)" }).waitFor();
    await draw(page, "my mug");
    expect(mock.asked).toMatchObject([{ adapters: [{ name: "my-mug", scale: 0.5 }] }]);
    await page.getByRole("button", { name: "the model's own (my-mug)" }).click();
    expect(await scale.inputValue()).toBe("0");
    expect(faults).toEqual([]);
  });

  it("cancels", async () => {
    await using mock = await MockServer.start({ tokenMilliseconds: null });
    await using opened = await openPage(browser, mock.url);
    const { page, faults } = opened;
    await draw(page, "a dog");
    mock.write(5);
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.locator(".words").getByText("cancelled").waitFor();
    await page.getByText("Nothing waits.").waitFor();
    expect([...mock.jobs.values()].map(({ status }) => status)).toEqual(["cancelled"]);
    expect(faults).toEqual([]);
  });
});
