import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, openPage } from "./browser.ts";
import { MockServer } from "./mock-server.ts";

const ROW = 8;
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let browser: Browser;
let axe: string;
beforeAll(async () => {
  browser = await launchBrowser();
  axe = await readFile(AXE, "utf8");
});
afterAll(() => browser.close());

interface Finding {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** What axe finds of serious and critical faults, in words. */
async function findings(page: Page): Promise<readonly string[]> {
  // By the debugger's door: the page's own policy lets no foreign script in.
  const found = (await page.evaluate(
    `(async () => { if (!window.axe) { ${axe} } return (await window.axe.run(document, { resultTypes: ["violations"] })).violations; })()`,
  )) as readonly Finding[];
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}

const SCREENS: readonly (readonly [string, BrowserContextOptions])[] = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["a phone's width", { colorScheme: "light", viewport: { width: 360, height: 740 } }],
];

describe.each(SCREENS)("axe, %s", (_, options) => {
  it("finds nothing serious in any state, and nothing stands out of the page", async () => {
    await using mock = await MockServer.start({ pictures: 12, tokenMilliseconds: null });
    await using opened = await openPage(browser, mock.url, { ...options, reducedMotion: "reduce" });
    const { page, faults } = opened;
    const check = async (state: string): Promise<void> => {
      expect([state, await findings(page)]).toEqual([state, []]);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect([state, over]).toEqual([state, 0]);
    };
    await page.getByRole("region", { name: "Shelf" }).getByRole("button").first().waitFor();
    await check("blank");
    await page.getByLabel("prompt").pressSequentially("a zebr");
    await page.getByRole("option", { name: "zebra" }).waitFor();
    await check("suggestions");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "settings" }).click();
    await page.getByRole("button", { name: "Draw" }).click();
    mock.write(1 + 2 * ROW + 3);
    await page.locator(".words").getByText("row 3 of 8").waitFor();
    await check("drawing");
    mock.failNext = "the model ran out of memory";
    mock.write(1);
    await page.getByText("It failed").waitFor();
    await check("failed");
    await page.getByRole("region", { name: "Shelf" }).getByRole("button").nth(2).click();
    await page.getByRole("button", { name: "Compare" }).waitFor();
    await check("picture");
    for (const name of [
      "Write on from a row",
      "Brush over cells",
      "Extend the sheet",
      "Edit by instruction",
    ]) {
      await page.getByRole("button", { name }).click();
      await check(name);
    }
    await page.getByRole("button", { name: "Draw the edit" }).click();
    await page.getByRole("alert").waitFor();
    await check("refused");
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByRole("region", { name: "Shelf" }).getByRole("button").nth(4).click();
    await page.getByRole("table").waitFor();
    await check("compare");
    await page.getByRole("button", { name: "Keys" }).click();
    await page.getByRole("dialog").waitFor();
    await check("keys");
    expect(faults).toEqual([]);
  });
});

describe("without a pointer", () => {
  it("a picture is drawn, rewound, brushed, extended, compared and deleted", async () => {
    await using mock = await MockServer.start({ pictures: 3, tokenMilliseconds: 2 });
    await using opened = await openPage(browser, mock.url);
    const { page, faults } = opened;
    const { keyboard } = page;
    const focused = (): Promise<string> =>
      page.evaluate(
        () => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.id ?? "",
      );
    /** With so many pictures on the shelf: the one before offers the same while a new one is asked for. */
    const done = async (pictures: number): Promise<void> => {
      await expect.poll(() => mock.entries.size).toBe(pictures);
      await page.getByRole("button", { name: "Write on from a row" }).waitFor();
    };
    await page.getByRole("region", { name: "Shelf" }).getByRole("button").first().waitFor();

    await keyboard.press("/");
    await keyboard.type("a zebr");
    await keyboard.press("ArrowDown");
    expect(await page.getByLabel("prompt").getAttribute("aria-activedescendant")).toBe("subject-0");
    await keyboard.press("Enter");
    expect(await page.getByLabel("prompt").inputValue()).toBe("a zebra");
    await keyboard.press("Enter");
    await done(4);

    // The field keeps letters; outside they do things.
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await keyboard.press("w");
    await page.getByRole("slider", { name: "Rows to keep" }).focus();
    await keyboard.press("ArrowDown");
    await keyboard.press("Enter");
    expect(await focused()).toBe("prompt");
    await keyboard.press("Control+Enter");
    await expect.poll(() => mock.asked.length).toBe(2);
    expect(mock.asked[1]).toMatchObject({ from: { rows: 3 }, prompt: "a zebra" });
    await done(5);

    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await keyboard.press("b");
    await expect.poll(focused).toContain("Brush");
    await keyboard.press("ArrowRight");
    await keyboard.press(" ");
    await keyboard.press("Shift+ArrowDown");
    await page.getByRole("status").getByText("Row 2, column 2, brushed. 2 brushed.").waitFor();
    await keyboard.press("Control+Enter");
    await expect.poll(() => mock.asked.length).toBe(3);
    expect(mock.asked[2]).toMatchObject({ mask: "blob-0", mask_opens: "white" });
    await done(6);

    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await keyboard.press("x");
    await page.getByRole("slider", { name: "Cells to add at the top" }).focus();
    await keyboard.press("ArrowUp");
    await keyboard.press("Control+Enter");
    await expect.poll(() => mock.asked.length).toBe(4);
    expect(mock.asked[3]).toMatchObject({ size: "128x144", place: { left: 0, top: 16 } });
    await done(7);

    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await keyboard.press("c");
    await page.getByRole("region", { name: "Shelf" }).getByRole("button").first().focus();
    await keyboard.press("ArrowRight");
    await keyboard.press("Enter");
    await page.getByText("differs in").waitFor();
    await keyboard.press("Escape");
    await done(7);
    await page.getByRole("button", { name: "Delete" }).press("Enter");
    await page.getByRole("button", { name: "Delete it for everybody" }).press("Enter");
    await expect.poll(() => mock.entries.size).toBe(6);

    await keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(faults).toEqual([]);
  });

  it("shows where the focus is, on everything that takes it", async () => {
    await using mock = await MockServer.start({ pictures: 3 });
    await using opened = await openPage(browser, mock.url);
    const { page } = opened;
    await page.getByRole("region", { name: "Shelf" }).getByRole("button").first().click();
    await page.getByRole("button", { name: "Compare" }).waitFor();
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    const seen: string[] = [];
    for (let at = 0; at < 40; at++) {
      await page.keyboard.press("Tab");
      const [name, isShown] = await page.evaluate(() => {
        const { activeElement } = document;
        if (activeElement === null || activeElement === document.body) return ["", true] as const;
        const style = getComputedStyle(activeElement);
        const shows = style.outlineStyle !== "none" || style.boxShadow !== "none";
        return [activeElement.getAttribute("aria-label") ?? activeElement.textContent ?? "", shows] as const;
      });
      if (name === "" && seen.length > 20) break;
      expect([name, isShown]).toEqual([name, true]);
      seen.push(name);
    }
    expect(seen.length).toBeGreaterThan(15);
  });
});
