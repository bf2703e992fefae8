import { describe, expect, test } from "vitest";
import { curve, drawnOf, linksOf, overview, same, weightOf } from "../src/links";
import type { Matrix } from "../src/matrix";

const MATRIX: Matrix = { rows: 2, columns: 3, values: Float32Array.from([0.75, 0.25, 0, 0.5, 0.0078125, 0.5]), leftOut: undefined };

describe("links", () => {
  test("of a target word, the heaviest first", () => {
    expect(linksOf(MATRIX, { side: "target", at: 0 })).toEqual([
      { source: 0, target: 0, weight: 0.75 },
      { source: 1, target: 0, weight: 0.25 },
    ]);
  });
  test("of a source word; among equals the leftmost first", () => {
    expect(linksOf(MATRIX, { side: "source", at: 0 }).map((link) => link.target)).toEqual([0, 1]);
    expect(linksOf(MATRIX, { side: "target", at: 1 }).map((link) => link.source)).toEqual([0, 2, 1]);
  });
  test("only the heavy ones are drawn", () => {
    expect(drawnOf(MATRIX, { side: "target", at: 1 }).map((link) => link.source)).toEqual([0, 2]);
    expect(drawnOf(MATRIX, { side: "target", at: 1 }, 1)).toHaveLength(1);
  });
  test("of a whole sentence, the heaviest last, so that it lies on top", () => {
    expect(overview(MATRIX).map((link) => link.weight)).toEqual([0.25, 0.5, 0.5, 0.75]);
    expect(overview({ ...MATRIX, rows: 99 })).toEqual([]);
  });
  test("the weight between two words, asked from either side", () => {
    expect(weightOf(MATRIX, { side: "target", at: 1 }, { side: "source", at: 2 })).toBe(0.5);
    expect(weightOf(MATRIX, { side: "source", at: 1 }, { side: "target", at: 0 })).toBe(0.25);
  });
  test("words are the same by side and place", () => {
    expect(same({ side: "source", at: 1 }, { side: "source", at: 1 })).toBe(true);
    expect(same({ side: "source", at: 1 }, { side: "target", at: 1 })).toBe(false);
    expect(same(undefined, { side: "target", at: 1 })).toBe(false);
    expect(same(undefined, undefined)).toBe(true);
  });
  test("a curve goes from the lower edge of one to the upper edge of the other", () => {
    const d = curve({ x: 0, y: 0, width: 10, height: 20 }, { x: 100, y: 80, width: 20, height: 20 });
    expect(d).toBe("M5 20C5 50 110 50 110 80");
  });
});
