// A browser for tests, and what they ask of a page.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type BrowserContext, type Page } from "playwright-core";

/** The folder of pages that tests/view/page_maps.py wrote. */
export const PAGES = process.env.REGARD_PAGES ? resolve(process.env.REGARD_PAGES) : "";
export const CHROMIUM = process.env.REGARD_CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync) ?? "";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export interface Browser {
  readonly context: BrowserContext;
  /** Open a page in a fresh tab; complaints of its script or its policy are collected. */
  open(name: string, scheme?: "light" | "dark"): Promise<Opened>;
  close(): Promise<void>;
}

export interface Opened {
  readonly page: Page;
  readonly complaints: string[];
}

export async function browser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), "regard-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM, headless: true, args: FLAGS, viewport: { width: 1280, height: 900 }, acceptDownloads: true,
  });
  context.setDefaultTimeout(60_000);
  return {
    context,
    async open(name, scheme = "light") {
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("request", (request) => request.url().startsWith("http") && complaints.push(`asked for ${request.url()}`));
      await page.emulateMedia({ colorScheme: scheme });
      await page.goto(pathToFileURL(join(PAGES, `${name}.html`)).href);
      await page.waitForSelector("html[data-shown]");
      return { page, complaints };
    },
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** What the page tells those who listen. */
export function told(page: Page): Promise<string> {
  return page.locator("[aria-live=polite]").innerText();
}

/** The colour of the middle of a cell of the matrix, and where it is on the screen. */
export async function cell(page: Page, row: number, column: number): Promise<{ x: number; y: number; colour: number[] }> {
  return page.evaluate(([row, column]) => {
    const canvas = document.querySelector<HTMLCanvasElement>(".matrix canvas")!;
    const box = canvas.getBoundingClientRect();
    const context = canvas.getContext("2d")!;
    const ratio = canvas.width / box.width;
    // Cells are squares of the same size; the last of them ends 6 pixels above the lower edge.
    const { cell, left, top } = JSON.parse(canvas.dataset.layout!) as { cell: number; left: number; top: number };
    const [x, y] = [left + (column! + 0.5) * cell, top + (row! + 0.5) * cell];
    const corner = Math.max(cell / 2 - 4, 0);
    const colour = [...context.getImageData((x - corner) * ratio, (y - corner + 3) * ratio, 1, 1).data].slice(0, 3);
    return { x: box.x + x, y: box.y + y, colour };
  }, [row, column]);
}
