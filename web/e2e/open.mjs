// How long a page takes to open: node open.mjs FILE DONE TIMES TIMEOUT [FOLDER]
//
// Prints, as JSON, for each of TIMES fresh tabs the milliseconds from the start of the navigation to the first frame in
// which the element that the selector DONE names was there. Requests to a content network are answered at once with the
// file of that name in FOLDER; every other is refused.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, done, times, timeout, folder = ""] = process.argv.slice(2);
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const profile = mkdtempSync(join(tmpdir(), "regard-browser-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.REGARD_CHROMIUM ?? "/usr/bin/chromium", headless: true, args: flags, viewport: { width: 1320, height: 900 },
});
const asked = [];
await context.route(/^https:/, (route) => {
  const name = basename(new URL(route.request().url()).pathname);
  const path = join(folder, name);
  asked.push(name);
  return folder && existsSync(path) ? route.fulfill({ body: readFileSync(path), contentType: "text/javascript" }) : route.abort();
});
await context.addInitScript((done) => {
  const look = () => {
    if (!document.querySelector(done)) requestAnimationFrame(look);
    else setTimeout(() => { window.openedAfter = performance.now(); });
  };
  requestAnimationFrame(look);
}, done);

const opened = [];
try {
  for (let i = 0; i < Number(times); i++) {
    const page = await context.newPage();
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("crash", () => complaints.push("the tab crashed"));
    try {
      await page.goto(pathToFileURL(file).href, { waitUntil: "commit", timeout: Number(timeout) });
      const end = Date.now() + Number(timeout);
      let after;
      while (after === undefined && Date.now() < end && !complaints.length) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        // A tab that is busy answers late: no later than the end.
        after = await Promise.race([page.evaluate(() => window.openedAfter), late(end)]);
      }
      if (after === undefined) throw new Error(complaints[0] ?? `not open after ${timeout / 1000} s`);
      opened.push({ ms: Math.round(after) });
    } catch (error) {
      opened.push({ failed: String(complaints[0] ?? error.message).split("\n")[0] });
    }
    if (opened.at(-1).failed) break;
    await page.close();
  }
} finally {
  console.log(JSON.stringify({ browser: context.browser()?.version() ?? "", opened, asked: [...new Set(asked)] }));
  await Promise.race([context.close().catch(() => undefined), late(Date.now() + 5000)]);
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  // A browser that did not close ends with this process.
  process.exit(0);
}

function late(end) {
  return new Promise((resolve) => setTimeout(resolve, Math.max(end - Date.now(), 0)));
}
