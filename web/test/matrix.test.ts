import { describe, expect, test } from "vitest";
import { averaged, chosen, converted, decimals, full, inUnit, merged, outside, strength, wordOf, type Matrix } from "../src/matrix";
import { MAP, diagonal } from "./maps";

const MATRIX: Matrix = {
  rows: 3,
  columns: 4,
  values: Float32Array.from([0.5, 0.25, 0.125, 0, 0, 0.25, 0.5, 0.25, 0, 0, 0, 0]),
  leftOut: Float32Array.from([0.125, 0, 1]),
};

describe("choosing", () => {
  test("one matrix, a mean over one axis, and over all", () => {
    expect(chosen([2, 3], [1, 2])).toEqual([5]);
    expect(chosen([2, 3], ["mean", 1])).toEqual([1, 4]);
    expect(chosen([2, 3], [1, "mean"])).toEqual([3, 4, 5]);
    expect(chosen([2, 2], ["mean", "mean"])).toEqual([0, 1, 2, 3]);
    expect(chosen([], [])).toEqual([0]);
  });
  test("averages weights and what was left out", () => {
    const mean = averaged(diagonal(true), [0, 3]);
    expect([...mean.values].map((value) => Math.round(value * 1000))).toEqual([625, 0, 0, 0, 0, 625, 0, 0, 0, 0, 625, 0]);
    expect(mean.leftOut![0]).toBeCloseTo(0.1);
    expect(averaged(diagonal(), [0]).leftOut).toBeUndefined();
  });
});

describe("words", () => {
  test("source pieces add up, target pieces are averaged", () => {
    const target = { ...MAP.target, sizes: [2, 1] };
    const words = merged(MATRIX, MAP.source, target);
    expect([words.rows, words.columns]).toEqual([2, 3]);
    expect([...words.values]).toEqual([0.25, (0.375 + 0.75) / 2, 0.125, 0, 0, 0]);
    expect([...words.leftOut!]).toEqual([0.0625, 1]);
  });
  test("sums of rows stay", () => {
    const words = inUnit(MATRIX, MAP, "word");
    const sum = (matrix: Matrix, row: number) =>
      matrix.values.slice(row * matrix.columns, (row + 1) * matrix.columns).reduce((a, b) => a + b, 0);
    for (const row of [0, 1, 2]) expect(sum(words, row)).toBeCloseTo(sum(MATRIX, row));
    expect(inUnit(MATRIX, MAP, "piece")).toBe(MATRIX);
  });
  test("positions go over to words and back", () => {
    expect(wordOf(MAP.source)).toEqual([0, 1, 1, 2]);
    expect(converted(MAP.source, 2, "word")).toBe(1);
    expect(converted(MAP.source, 1, "piece")).toBe(1);
    expect(converted(MAP.source, 2, "piece")).toBe(3);
  });
  test("what is outside the text stays outside", () => {
    expect(outside(MAP.source, "piece")).toEqual([false, false, false, true]);
    expect(outside(MAP.source, "word")).toEqual([false, false, true]);
  });
});

describe("strength", () => {
  test("full colour of each row, or of the whole matrix", () => {
    expect([...full(MATRIX, "row").rows]).toEqual([0.5, 0.5, 0]);
    const other: Matrix = { ...MATRIX, values: MATRIX.values.map((value, at) => (at < 4 ? value / 2 : value)) };
    expect([...full(other, "row").rows]).toEqual([0.25, 0.5, 0]);
    expect([...full(other, "whole").rows]).toEqual([0.5, 0.5, 0]);
    expect(full(other, "row").whole).toBe(0.5);
  });
  test("grows with the weight, or with its square root", () => {
    expect(strength(0.25, 1, "linear")).toBe(0.25);
    expect(strength(0.25, 1, "root")).toBe(0.5);
    expect(strength(2, 1, "root")).toBe(1);
    expect(strength(0, 0, "linear")).toBe(0);
  });
  test("as many decimals as are certain", () => {
    expect([1, 0.6, 0.5, 0.1, 0.005, 0].map(decimals)).toEqual([2, 2, 3, 3, 5, 2]);
  });
});
