// Pages in a real browser. Without REGARD_PAGES or a browser there is nothing to test, and that is said by skipping.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { CHROMIUM, PAGES, browser, cell, told, type Browser } from "./browser";

const chip = (side: "source" | "target", at: number) => `.chip[data-side=${side}][data-at="${at}"]`;

async function text(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).allInnerTexts()).join("\n").replace(/\s+/g, " ").trim();
}

describe.skipIf(!PAGES || !CHROMIUM)("a page in a browser", () => {
  let it: Browser;
  beforeAll(async () => { it = await browser(); });
  afterAll(() => it.close());

  test("shows the sentences, the weights and how to read them, and asks the network for nothing", async () => {
    const { page, complaints } = await it.open("chinese");
    expect(await page.title()).toBe("Tom chases Jerry");
    expect(await text(page, ".row.source")).toBe("Tom chases Jerry . </s>");
    expect(await text(page, ".row.target")).toBe("汤姆 追 杰瑞 。 </s>");
    expect(await text(page, ".statement")).toBe(
      "Cross attention; each row: what was looked at to predict that word. " +
        "Colour grows with the weight; full colour is 0.93, the largest weight of all.",
    );
    expect(await page.locator(".links path").count()).toBe(6);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("hovering a cell, a word", async () => {
    const { page } = await it.open("chinese");
    const { x, y } = await cell(page, 0, 0);
    await page.mouse.move(x, y);
    expect(await text(page, ".tip")).toBe("0.93 汤姆 ← Tom");
    expect(await text(page, ".detail h2")).toBe("汤姆 looked at");
    expect(await text(page, ".detail tr:first-child")).toBe("Tom 0.93");
    await page.mouse.move(2, 2);
    expect(await page.locator(".tip").count()).toBe(0);
    await page.hover(chip("source", 1));
    expect(await text(page, ".detail h2")).toBe("chases was looked at by");
    expect(await text(page, ".detail tr:first-child")).toBe("追 0.90");
    await page.close();
  });

  test("pinning a word keeps it, and draws its links", async () => {
    const { page } = await it.open("chinese");
    await page.click(chip("target", 4));
    expect(await page.locator(chip("target", 4)).getAttribute("aria-pressed")).toBe("true");
    expect(await page.locator(".links path").count()).toBe(2);
    await page.hover(chip("target", 0));
    expect(await text(page, ".detail h2")).toBe("</s> looked at");
    expect(await told(page)).toContain("pinned: </s> looked at </s> 0.65, . 0.31");
    // A line begins at a source word and ends at the pinned one.
    const ends = await page.evaluate(() => {
      const d = document.querySelector(".links path")!.getAttribute("d")!.match(/[\d.]+/g)!.map(Number);
      const box = document.querySelector(".sentences")!.getBoundingClientRect();
      const pinned = document.querySelector('.chip[aria-pressed="true"]')!.getBoundingClientRect();
      return { x: d.at(-2)! - (pinned.x + pinned.width / 2 - box.x), y: d.at(-1)! - (pinned.y - box.y) };
    });
    expect(Math.abs(ends.x) + Math.abs(ends.y)).toBeLessThan(1);
    await page.keyboard.press("Escape");
    expect(await page.locator('.chip[aria-pressed="true"]').count()).toBe(0);
    // A click on a cell pins its row, another lets it go.
    const { x, y } = await cell(page, 1, 1);
    await page.mouse.click(x, y);
    expect(await page.locator(chip("target", 1)).getAttribute("aria-pressed")).toBe("true");
    await page.mouse.click(x, y);
    expect(await page.locator('.chip[aria-pressed="true"]').count()).toBe(0);
    await page.close();
  });

  test("layers and heads: by name, by thumbnail, by key", async () => {
    const { page, complaints } = await it.open("heads");
    expect(await text(page, ".statement")).toContain("mean of 12 layers x 12 heads");
    const mean = (await cell(page, 5, 30)).colour;
    await page.selectOption("select[data-axis=layer]", "3");
    await page.selectOption("select[data-axis=head]", "0");
    expect(await text(page, ".statement")).toContain("layer 3, head 0;");
    expect(await page.locator('.heads .grid button[aria-pressed="true"]').getAttribute("aria-label")).toBe("layer 3, head 0");
    await page.click('.heads button[aria-label="layer 2, head 1"]');
    expect(await page.locator("select[data-axis=layer]").inputValue()).toBe("2");
    await expect.poll(async () => (await cell(page, 5, 30)).colour).not.toEqual(mean);
    await page.click(chip("target", 0));
    await page.keyboard.press("h");
    await page.keyboard.press("L");
    expect(await text(page, ".statement")).toContain("layer 1, head 2;");
    await page.click('.heads button[aria-label="layer 1, head 2"]');
    expect(await text(page, ".statement")).toContain("mean of 12 layers x 12 heads");
    expect(await page.locator(".heads canvas").count()).toBe(144);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("scale and range change the colours, and say so", async () => {
    const { page } = await it.open("chinese");
    const before = await cell(page, 4, 3);
    await page.check("input[name=scale][value=root]", { force: true });
    expect(await text(page, ".statement")).toContain("square root of the weight");
    // The canvas is painted after the words have changed.
    const red = async () => (await cell(page, 4, 3)).colour[0]!;
    await expect.poll(red).toBeLessThan(before.colour[0]!);
    const root = await red();
    await page.check('input[name="full colour"][value=row]', { force: true });
    expect(await text(page, ".statement")).toContain("the largest weight of each row");
    expect(await text(page, ".scale")).toContain("the largest weight of the row");
    await expect.poll(red).toBeLessThan(root);
    await page.close();
  });

  test("words and pieces", async () => {
    const { page } = await it.open("heads");
    await page.click(chip("source", 4));
    expect(await text(page, chip("source", 4))).toBe("er");
    await page.check("input[name=units][value=word]", { force: true });
    expect(await text(page, ".statement")).toContain("pieces merged into words");
    expect(await text(page, '.chip[aria-pressed="true"]')).toBe("fisherman");
    const words = await page.locator(".row.source .chip").count();
    await page.keyboard.press("w");
    expect(await page.locator(".row.source .chip").count()).toBeGreaterThan(words);
    expect(await text(page, '.chip[aria-pressed="true"]')).toBe("fish");
    // The focus stays with the word, whatever its number is.
    await page.click(chip("source", 10));
    expect(await text(page, ":focus")).toBe("har");
    await page.keyboard.press("w");
    await expect.poll(() => text(page, ":focus")).toBe("harbour");
    await page.close();
  });

  test("dark where the system is dark, and by a switch", async () => {
    const ground = (page: Page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const { page } = await it.open("chinese", "dark");
    expect(await ground(page)).toBe("rgb(15, 17, 21)");
    expect((await cell(page, 0, 4)).colour[0]).toBeLessThan(60);
    await page.click("text=light");
    await expect.poll(() => ground(page)).toBe("rgb(245, 246, 248)");
    await expect.poll(async () => (await cell(page, 0, 4)).colour[0]).toBeGreaterThan(200);
    // The system changes: the page follows it again.
    await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (document.body.id = "told")));
    await page.emulateMedia({ colorScheme: "light" });
    await page.waitForSelector("#told");
    await page.emulateMedia({ colorScheme: "dark" });
    await expect.poll(() => ground(page)).toBe("rgb(15, 17, 21)");
    await page.close();
  });

  test("by keyboard alone", async () => {
    const { page } = await it.open("chinese");
    const focus = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
    await page.keyboard.press("Tab");
    for (let i = 0; i < 12 && !(await focus()).startsWith("Tom"); i++) await page.keyboard.press("Tab");
    expect(await focus()).toBe("Tom, source 1 of 5");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
    expect(outline).toBe("solid");
    expect(await told(page)).toContain("Tom was looked at by 汤姆 0.93");
    await page.keyboard.press("ArrowRight");
    expect(await focus()).toBe("chases, source 2 of 5");
    await page.keyboard.press("ArrowDown");
    expect(await focus()).toBe("追, target 2 of 5");
    await page.keyboard.press("Enter");
    expect(await page.locator(chip("target", 1)).getAttribute("aria-pressed")).toBe("true");
    await page.keyboard.press("End");
    expect(await focus()).toBe("</s>, target 5 of 5");
    await page.keyboard.press("Escape");
    expect(await page.locator('.chip[aria-pressed="true"]').count()).toBe(0);
    for (let i = 0; i < 8 && !(await focus()).includes("Arrow keys"); i++) await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    expect(await told(page)).toBe("追 from chases: 0.90");
    await page.keyboard.press("Enter");
    expect(await page.locator(chip("target", 1)).getAttribute("aria-pressed")).toBe("true");
    await page.keyboard.press("?");
    await expect.poll(() => page.locator("dialog[open]").count()).toBe(1);
    await page.uncheck("dialog input");
    await page.keyboard.press("Escape");
    await page.keyboard.press("s");
    await expect.poll(() => text(page, ".statement")).toContain("Colour grows with the weight");
    await page.close();
  });

  test("from right to left: the first word is on the right, in the sentence and in the matrix", async () => {
    const { page } = await it.open("arabic");
    const place = async (selector: string) => (await page.locator(selector).boundingBox())!.x;
    expect(await place(chip("source", 0))).toBeGreaterThan(await place(chip("source", 3)));
    expect(await place(chip("target", 0))).toBeLessThan(await place(chip("target", 3)));
    expect(await page.locator(".row.source").getAttribute("dir")).toBe("rtl");
    expect(await text(page, ".card h2 small")).toContain("from the right");
    const { x, y } = await cell(page, 0, 6);
    await page.mouse.move(x, y);
    expect(await text(page, ".tip")).toContain("← ذهب");
    await page.focus(chip("source", 0));
    await page.keyboard.press("ArrowLeft");
    expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.at)).toBe("1");
    await page.close();
    const hebrew = await it.open("hebrew");
    expect(await hebrew.page.locator(".row.target").getAttribute("dir")).toBe("rtl");
    await hebrew.page.close();
  });

  test("a row without any weight says so", async () => {
    const { page } = await it.open("japanese");
    expect(await page.locator(".row.source").getAttribute("lang")).toBe("ja");
    await page.click(chip("target", 5));
    expect(await text(page, ".detail")).toContain("no weight at all");
    expect(await page.locator(".links path").count()).toBe(0);
    await page.close();
  });

  test("sparse weights, and weight that was left out", async () => {
    const { page, complaints } = await it.open("sparse");
    await page.click(chip("target", 3));
    expect(await text(page, ".detail")).toContain("left out of the map: 0.20");
    const first = await text(page, ".detail tr:first-child");
    expect(first).toMatch(/^w\d+ 0\.\d+$/);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("many sentences: a list, a filter, keys", async () => {
    const { page } = await it.open("many");
    expect(await page.locator(".list li").count()).toBe(200);
    await page.click(".list >> text=400 more");
    expect(await page.locator(".list li").count()).toBe(400);
    await page.fill(".list input", "marie finds");
    const found = await page.locator(".list li").count();
    expect(found).toBeGreaterThan(0);
    expect(found).toBeLessThan(60);
    expect(await text(page, ".list [role=status]")).toBe(`${found} of 600 sentences`);
    await page.selectOption("select[data-axis=head]", "2");
    const last = await text(page, ".list li:last-child .text:not(.quiet)");
    await page.click(".list li:last-child button");
    await expect.poll(() => text(page, ".row.source")).toBe(last);
    expect(await page.locator("select[data-axis=head]").inputValue()).toBe("2");
    expect(await page.locator('.list [aria-current="true"]').count()).toBe(1);
    const before = await page.locator('.list [aria-current="true"] .number').innerText();
    await page.fill(".list input", "");
    await page.click(chip("source", 0));
    await page.keyboard.press("[");
    await expect.poll(() => page.locator("html").getAttribute("data-shown")).toBe(String(Number(before) - 2));
    await page.close();
  });

  test("saves the view as PNG and SVG", async () => {
    const { page } = await it.open("chinese");
    await page.click(chip("target", 0));
    const saved = async (name: string) => {
      const [download] = await Promise.all([page.waitForEvent("download"), page.click(`text=save ${name}`)]);
      expect(download.suggestedFilename()).toBe(`attention-1.${name.toLowerCase()}`);
      return readFileSync((await download.path())!);
    };
    const png = await saved("PNG");
    expect([...png.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
    expect(png.readUInt32BE(16)).toBeGreaterThan(600);
    const svg = (await saved("SVG")).toString("utf8");
    for (const part of ["汤姆", "chases", "&lt;/s&gt;", "full colour is 0.93", ">.93</text>"]) expect(svg).toContain(part);
    const valid = await page.evaluate((svg) => {
      const made = new DOMParser().parseFromString(svg, "image/svg+xml");
      return [made.querySelector("parsererror")?.textContent ?? "", made.querySelectorAll("path").length];
    }, svg);
    expect(valid).toEqual(["", 1]);
    await page.close();
  });

  test("large matrices are saved too, and zoomed", async () => {
    const { page } = await it.open("sparse");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=save SVG")]);
    expect(readFileSync((await download.path())!, "utf8")).toContain("data:image/png;base64,");
    const wide = () => page.evaluate(() => document.querySelector(".spacer")!.clientWidth);
    const before = await wide();
    for (let i = 0; i < 9; i++) await page.click(".zoom [aria-label=larger]");
    expect(await wide()).toBeGreaterThan(4 * before);
    await page.evaluate(() => document.querySelector(".scroller")!.scrollTo(3000, 100));
    await page.waitForTimeout(100);
    const { x, y } = await page.evaluate(() => {
      const box = document.querySelector(".matrix canvas")!.getBoundingClientRect();
      return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    });
    await page.mouse.move(x, y);
    const column = Number((await text(page, ".tip")).match(/w(\d+)$/)![1]);
    expect(column).toBeGreaterThan(90);
    await page.close();
  });

  test("an image: the weights of a word over it, places under the pointer, a slider", async () => {
    const { page, complaints } = await it.open("scene");
    expect(await text(page, ".hint >> nth=0")).toBe("9 target pieces by 12 x 16 places of 128 x 96 pixels");
    // The colour at the middle of a place, counted from 1.
    const colour = (row: number, column: number) => page.evaluate(([row, column]) => {
      const canvas = document.querySelector<HTMLCanvasElement>("canvas.image")!;
      const [x, y] = [((column! - 0.5) / 16) * canvas.width, ((row! - 0.5) / 12) * canvas.height];
      return [...canvas.getContext("2d")!.getImageData(x, y, 1, 1).data].slice(0, 3);
    }, [row, column]);
    expect(await colour(5, 5)).toEqual([210, 40, 40]);
    await page.click(chip("target", 2));
    // In the circle the weights are over grey; in the square there is grey alone.
    await expect.poll(async () => { const [red, , blue] = await colour(6, 5); return red! - blue!; }).toBeGreaterThan(120);
    const [red, green, blue] = await colour(8, 12);
    expect(Math.abs(red! - green!) + Math.abs(green! - blue!)).toBeLessThan(8);
    expect(await text(page, ".caption")).toBe("circle: most at row 6, column 5, 0.062");
    await page.locator(".tune input[type=range]").fill("0");
    await expect.poll(() => colour(5, 5)).toEqual([210, 40, 40]);
    await page.keyboard.press("Escape");
    const box = (await page.locator("canvas.image").boundingBox())!;
    await page.mouse.move(box.x + (11.5 / 16) * box.width, box.y + (7.5 / 12) * box.height);
    expect(await text(page, ".detail h2")).toBe("8,12 was looked at by");
    expect(await text(page, ".caption")).toContain("row 8, column 12: most for");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=save SVG")]);
    const svg = readFileSync((await download.path())!, "utf8");
    expect(svg.match(/data:image\/png/g)!.length).toBeGreaterThanOrEqual(1);
    expect(svg).toContain(">circle</text>");
    await page.focus("canvas.image");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    expect(await text(page, ".detail h2")).toBe("2,2 was looked at by");
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("a recording: plays, moves its line, lights the words; a click on a word plays its stretch", async () => {
    const { page, complaints } = await it.open("call");
    expect(await page.locator("canvas.sound").count()).toBe(1);
    const at = () => page.evaluate(() => Number(document.querySelector<HTMLElement>(".needle")!.style.transform.match(/[\d.]+/)![0]));
    const width = await page.evaluate(() => document.querySelector(".lane")!.clientWidth);
    expect(await at()).toBe(0);
    await page.click(".play");
    expect(await page.locator(".play").getAttribute("aria-label")).toBe("pause");
    await page.waitForSelector(".chip.spoken");
    await expect.poll(at).toBeGreaterThan(0.1 * width);
    await page.keyboard.press("p");
    expect(await page.locator(".play").getAttribute("aria-label")).toBe("play");
    const stopped = await at();
    await page.waitForTimeout(120);
    expect(await at()).toBe(stopped);
    // The fourth key sounds in the middle; when it has been played the line stands at its end, or a little later where
    // the machine is busy.
    await page.click(chip("target", 3));
    await expect.poll(() => page.locator(".play").getAttribute("aria-label")).toBe("play");
    const end = await at();
    expect(end / width).toBeGreaterThan(0.4);
    expect(end / width).toBeLessThan(0.95);
    expect(await text(page, ".detail h2")).toContain("looked at");
    // A click on the wave moves the line there.
    const box = (await page.locator("canvas.sound").boundingBox())!;
    await page.mouse.click(box.x + 0.25 * box.width, box.y + 20);
    expect(Math.abs((await at()) / width - 0.25)).toBeLessThan(0.01);
    await page.mouse.move(box.x + 0.25 * box.width, box.y + 20);
    await page.keyboard.press("Escape");
    expect(await text(page, ".detail h2")).toContain("s was looked at by");
    await page.click("[aria-label='longer seconds']");
    await expect.poll(() => page.evaluate(() => document.querySelector(".lane")!.clientWidth)).toBeGreaterThan(1.9 * width);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=save PNG")]);
    expect(readFileSync((await download.path())!).readUInt32BE(16)).toBeGreaterThan(1200);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("an image, a text and a recording on one page", async () => {
    const { page, complaints } = await it.open("media");
    expect(await page.locator("canvas.image").count()).toBe(1);
    await page.keyboard.press("]");
    await expect.poll(() => text(page, ".row.source")).toBe("Tom chases Jerry . </s>");
    await page.keyboard.press("]");
    await page.waitForSelector("canvas.sound");
    expect(await text(page, ".list li:last-child .text:not(.quiet)")).toBe("call-3.wav");
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("nothing that a text says does anything", async () => {
    const { page, complaints } = await it.open("hostile");
    expect(await page.title()).toBe("Attention: hostile");
    expect(await page.locator("#app img, #app script").count()).toBe(0);
    expect(await page.locator("script").count()).toBe(3);
    expect(await text(page, chip("source", 0))).toBe("</script><script>document.title='broken'</script>");
    expect(await text(page, chip("source", 4))).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=save SVG")]);
    const svg = readFileSync((await download.path())!, "utf8");
    const error = await page.evaluate(
      (svg) => new DOMParser().parseFromString(svg, "image/svg+xml").querySelector("parsererror, script, img")?.outerHTML ?? "", svg);
    expect(error).toBe("");
    expect(complaints).toEqual([]);
    // The policy stops what a page might still be made to do.
    const stopped = await page.evaluate(async () => {
      const script = document.createElement("script");
      script.textContent = "document.title = 'broken'";
      document.body.append(script);
      const asked = await fetch("data:text/plain,x").then(() => "fetched", () => "refused");
      return [document.title, asked];
    });
    expect(stopped).toEqual(["Attention: hostile", "refused"]);
    await page.close();
  });

  test("in the frame of a notebook it works, and reaches nothing outside", async () => {
    const page = await it.context.newPage();
    await page.goto(`file://${PAGES}/notebook.html`);
    const frame = page.frameLocator("iframe");
    await frame.locator("html[data-shown]").waitFor({ state: "attached" });
    await frame.locator(chip("target", 0)).click();
    expect(await frame.locator(".detail tr:first-child").innerText()).toContain("0.93");
    const [download] = await Promise.all([page.waitForEvent("download"), frame.locator("text=save SVG").click()]);
    expect(readFileSync((await download.path())!, "utf8")).toContain("汤姆");
    const origin = await page.frames()[1]!.evaluate(() => window.origin);
    expect(origin).toBe("null");
    await page.close();
  });
});
