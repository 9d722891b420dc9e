import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, openPage } from "./browser.ts";
import { MockServer } from "./mock-server.ts";

const ROW = 8;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

async function draw(page: Page, prompt: string): Promise<void> {
  await page.getByLabel("prompt").fill(prompt);
  await page.getByRole("button", { name: "Draw" }).click();
  await queue(page).getByRole("button", { name: prompt, exact: true }).waitFor();
}

const queue = (page: Page) => page.getByRole("complementary", { name: "Queue" });
const prompts = (page: Page) => queue(page).locator(".prompt").allTextContents();
const trimmed = async (page: Page): Promise<string[]> => (await prompts(page)).map((text) => text.trim());
const shelf = (page: Page) => page.getByRole("region", { name: "Shelf" }).getByRole("button");

describe("two browsers", () => {
  it("see one queue, its order, what is cancelled, and each other's pictures", async () => {
    await using mock = await MockServer.start({ tokenMilliseconds: null });
    await using second = await launchBrowserPage(mock.url);
    await using first = await openPage(browser, mock.url);
    await draw(first.page, "a dog");
    await draw(second.page, "a cat");
    await draw(first.page, "a car");
    mock.write(1);
    for (const { page } of [first, second]) {
      await expect.poll(() => trimmed(page)).toEqual(["a dog", "a cat", "a car"]);
    }
    await queue(second.page).getByRole("button", { name: "Move a car up" }).click();
    for (const { page } of [first, second]) {
      await expect.poll(() => trimmed(page)).toEqual(["a dog", "a car", "a cat"]);
    }
    const up = queue(first.page).getByRole("button", { name: "Move a car up" });
    await expect.poll(() => up.isDisabled()).toBe(true);
    // By keyboard, in the other browser.
    await queue(first.page).getByRole("button", { name: "a cat", exact: true }).press("Alt+ArrowUp");
    await expect.poll(() => trimmed(second.page)).toEqual(["a dog", "a cat", "a car"]);
    await queue(first.page).getByRole("button", { name: "Cancel a cat" }).click();
    await expect.poll(() => trimmed(second.page)).toEqual(["a dog", "a car"]);
    await second.page.locator(".words").getByText("cancelled").waitFor();

    mock.write(8 * ROW);
    for (const { page } of [first, second]) {
      await expect.poll(() => trimmed(page)).toEqual(["a car"]);
      await expect.poll(() => shelf(page).count()).toBe(1);
    }
    expect([first.faults, second.faults]).toEqual([[], []]);
  });
});

/** A page in a browser of its own. */
async function launchBrowserPage(url: string) {
  const other = await launchBrowser();
  const opened = await openPage(other, url);
  return {
    ...opened,
    async [Symbol.asyncDispose]() {
      await other.close();
    },
  };
}

describe("a server that is killed under an open page", () => {
  it("is waited for, and its job is shown again and to the end", async () => {
    await using mock = await MockServer.start({ tokenMilliseconds: null });
    await using opened = await openPage(browser, mock.url);
    const { page, faults } = opened;
    await draw(page, "a dog");
    mock.write(1 + 2 * ROW);
    await page.locator(".words").getByText("row 3 of 8").waitFor();
    await mock.kill();
    await page.getByText("The connection is lost.").waitFor();
    await page.getByText("The server does not answer. Trying again.").first().waitFor();
    await page.getByLabel("prompt").fill("a cat");
    await page.getByRole("button", { name: "Draw" }).click();
    await page.getByRole("alert").getByText("The server does not answer").waitFor();

    await mock.restart();
    await page.getByText("The connection is lost.").waitFor({ state: "detached" });
    mock.write(3 * ROW);
    await page.locator(".words").getByText("row 6 of 8").waitFor();
    mock.write(3 * ROW);
    await page.getByRole("button", { name: "Write on from a row" }).waitFor();
    expect(await page.getByLabel("prompt").inputValue()).toBe("a cat");
    await page.getByText("The server does not answer. Trying again.").first().waitFor({ state: "detached" });
    expect(faults).toEqual([]);
  });

  it("shows the same job after the page is loaded anew", async () => {
    await using mock = await MockServer.start({ tokenMilliseconds: null });
    await using opened = await openPage(browser, mock.url);
    const { page } = opened;
    await draw(page, "a dog");
    mock.write(1 + ROW);
    await page.reload();
    await page.locator(".words").getByText("row 2 of 8").waitFor();
    mock.write(8 * ROW);
    await page.getByRole("button", { name: "Write on from a row" }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Write on from a row" }).waitFor();
    expect(await page.locator(".words h2").textContent()).toBe("a dog");
  });
});

describe("a server with keys", () => {
  it("is asked with the one that is typed, which is kept", async () => {
    await using mock = await MockServer.start({ pictures: 2, key: "secret" });
    await using opened = await openPage(browser, mock.url);
    const { page } = opened;
    await page.getByRole("textbox", { name: "key" }).fill("wrong");
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByText("The key that this browser keeps is not accepted.").waitFor();
    await page.getByRole("textbox", { name: "key" }).fill("secret");
    await page.keyboard.press("Enter");
    await expect.poll(() => shelf(page).count()).toBe(2);
    await draw(page, "a dog");
    await page.getByRole("button", { name: "Write on from a row" }).waitFor();
    await page.reload();
    await expect.poll(() => shelf(page).count()).toBe(3);
    await page.getByRole("button", { name: "Forget key" }).click();
    await page.getByRole("textbox", { name: "key" }).waitFor();
  });
});

describe("a thousand pictures", () => {
  it("are reached, with few of them in the document at a time", async () => {
    await using mock = await MockServer.start({ pictures: 1000 });
    await using opened = await openPage(browser, mock.url);
    const { page, faults } = opened;
    await shelf(page).first().waitFor();
    for (let pageOf = 0; pageOf < 12; pageOf++) {
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      await page.waitForTimeout(100);
    }
    const oldest = page.getByRole("button", { name: /, seed 0$/ });
    await expect
      .poll(async () => {
        await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
        return oldest.count();
      })
      .toBe(1);
    expect(await page.evaluate(() => document.querySelectorAll(".shelf button").length)).toBeLessThan(120);
    expect(await oldest.locator("xpath=..").getAttribute("aria-posinset")).toBe("1000");
    expect(faults).toEqual([]);
  });
});
