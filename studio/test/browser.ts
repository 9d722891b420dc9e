/** @file A real Chromium, out of a package of the registry, and pages in it that may do no wrong. */
import chromium from "@sparticuz/chromium";
import { type Browser, type BrowserContextOptions, chromium as driver, type Page } from "playwright-core";

/**
 * Of the package's own arguments, what is meant for a function in a cloud: one process for everything falls over when a
 * page is closed, and rules of the web that are switched off would hide what the tests look for.
 */
const UNWANTED =
  /^--(single-process|no-zygote|disable-web-security|allow-running-insecure-content|disable-site-isolation-trials|disable-features|ignore-gpu|in-process-gpu|use-gl|use-angle|enable-unsafe-swiftshader|headless)/;

export async function launchBrowser(): Promise<Browser> {
  return driver.launch({
    executablePath: await chromium.executablePath(),
    args: [...chromium.args.filter((argument) => !UNWANTED.test(argument)), "--no-sandbox", "--disable-gpu"],
    headless: true,
  });
}

export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors of scripts, what the security policy stopped, and requests to other places. */
  readonly faults: readonly string[];
}

/** A page of its own, with nothing kept from others. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    // Refused connections and statuses are logged by the browser itself: tests of faults mean them.
    const isNetwork = /Failed to load resource|net::ERR/.test(message.text());
    if (message.type() === "error" && !isNetwork) faults.push(message.text());
  });
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith("http") && origin !== new URL(url).origin)
      faults.push(`asked for ${request.url()}`);
  });
  await page.goto(url);
  return { page, faults, [Symbol.asyncDispose]: () => context.close() };
}
