import { describe, expect, test } from "vitest";
import { PALETTES, css, inkOn, mixed, table } from "../src/colours";
import { cellAt, draw, labelAt, layout, placed, type Picture } from "../src/drawing";
import { full } from "../src/matrix";
import { svgPen, xml } from "../src/pen";

const MATRIX = { rows: 2, columns: 3, values: Float32Array.from([0.75, 0.25, 0, 0, 0, 0]), leftOut: undefined };

function picture(changed: Partial<Picture> = {}): Picture {
  return {
    matrix: MATRIX, full: full(MATRIX, "whole"), scale: "linear", palette: PALETTES.light,
    source: ["Tom", "<chases>", "</s>"], target: ["汤姆", "追"],
    outsideSource: [false, false, true], outsideTarget: [false, false],
    sourceDirection: "ltr", targetDirection: "ltr", ...changed,
  };
}

// Without a canvas the width of a text is taken to be six tenths of its size for each letter.
globalThis.document ??= { createElement: () => ({ getContext: () => null }) } as unknown as Document;

describe("colours", () => {
  test("go from one end to the other", () => {
    const { ramp } = PALETTES.light;
    expect(mixed(ramp, 0)).toEqual(ramp[0]);
    expect(mixed(ramp, 1)).toEqual(ramp.at(-1));
    expect(mixed(ramp, 7)).toEqual(ramp.at(-1));
    expect(css(mixed([[0, 0, 0], [100, 50, 10]], 0.5))).toBe("rgb(50,25,5)");
  });
  test("are never harder to read than 4.5 to 1", () => {
    const light = ([r, g, b]: readonly number[]) => {
      const part = (value: number) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
      return 0.2126 * part(r!) + 0.7152 * part(g!) + 0.0722 * part(b!);
    };
    const hex = (text: string) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
    for (const { ramp } of Object.values(PALETTES)) {
      for (let step = 0; step <= 100; step++) {
        const colour = mixed(ramp, step / 100);
        const [a, b] = [light(colour), light(hex(inkOn(colour)))].sort((x, y) => y - x);
        expect((a! + 0.05) / (b! + 0.05)).toBeGreaterThanOrEqual(4.5);
      }
    }
  });
  test("each step further from the paper", () => {
    for (const { ramp } of Object.values(PALETTES)) {
      const steps = [...table(ramp)].map((pixel) => ((pixel & 255) * 3 + ((pixel >> 8) & 255) * 6 + ((pixel >> 16) & 255)) / 10);
      const sign = Math.sign(steps.at(-1)! - steps[0]!);
      steps.slice(1).forEach((step, i) => expect((step - steps[i]!) * sign).toBeGreaterThanOrEqual(-1));
    }
  });
});

describe("layout", () => {
  test("finds the weight and the word under a point, from both directions", () => {
    const made = layout(picture(), 40);
    expect(cellAt(picture(), made, made.left + 1, made.top + 41)).toEqual({ row: 1, column: 0 });
    expect(cellAt(picture(), made, made.left - 1, made.top + 1)).toBeUndefined();
    expect(cellAt(picture(), made, made.left + 121, made.top + 1)).toBeUndefined();
    const mirrored = picture({ sourceDirection: "rtl" });
    expect(placed(mirrored, 0)).toBe(2);
    expect(cellAt(mirrored, made, made.left + 1, made.top + 1)).toEqual({ row: 0, column: 2 });
    const window = { x: 0, y: 0, width: 500, height: 500 };
    expect(labelAt(picture(), made, 2, made.top + 50, window)).toEqual({ side: "target", at: 1 });
    expect(labelAt(picture(), made, made.left + 50, made.top - 8, window)).toEqual({ side: "source", at: 1 });
    expect(labelAt(picture(), made, made.left + 50, made.top + 8, window)).toBeUndefined();
  });
  test("has no labels where they could not be read", () => {
    expect(layout(picture(), 4).size).toBe(0);
    expect(layout(picture(), 30).turn).toBe(-45);
    expect(layout(picture(), 12).turn).toBe(-90);
    expect(layout(picture({ source: ["a", "b", "c"] }), 40).turn).toBe(0);
  });
});

describe("svg", () => {
  test("holds every cell, number and label, as text and nothing else", () => {
    const made = layout(picture(), 40);
    const { pen, file } = svgPen(made.width, made.height, "#fff");
    const window = { x: 0, y: 0, width: made.width, height: made.height };
    const pixels = () => { throw new Error("cells are drawn one by one"); };
    draw(pen, picture(), made, window, { cell: undefined, pin: { side: "target", at: 0 } }, pixels);
    const text = file();
    expect(text.match(/<rect /g)).toHaveLength(1 + 6 + 1);
    expect(text).toContain(">.75</text>");
    expect(text).toContain("&lt;chases&gt;");
    expect(text).not.toContain("<chases>");
    // The row without any weight is struck out.
    expect(text.match(/<path /g)).toHaveLength(1);
  });
  test("has a place for no control character", () => {
    expect(xml("a\u0000b\uffff\ud800<&\"'>")).toBe("a\ufffdb\ufffd\ufffd&lt;&amp;&quot;&#39;&gt;");
    expect(xml("汤姆 😀\n")).toBe("汤姆 😀\n");
  });
});
