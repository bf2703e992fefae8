import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { firstBlocks, fromBase64, readHeader, readWeights, unpack, type Header, type MapHeader, type Weights } from "../src/data";
import { averaged } from "../src/matrix";
import { MAP } from "./maps";

function floats(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, i) => bytes.writeFloatLE(number, 4 * i));
  return bytes;
}

function packed(...parts: Buffer[]): string {
  return deflateRawSync(Buffer.concat(parts)).toString("base64");
}

function empty(matrices: number, rows: number, columns: number, leftOut = false): Weights {
  return {
    matrices, rows, columns,
    codes: new Uint8Array(matrices * rows * columns),
    scales: new Float32Array(matrices * rows),
    leftOut: leftOut ? new Float32Array(matrices * rows) : undefined,
  };
}

const map = (shape: number[], blocks: MapHeader["blocks"], leftOut = false): MapHeader => ({ ...MAP, shape, blocks, leftOut });

describe("base64", () => {
  test("gives the bytes back, with and without the browser's own decoder", () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect([...fromBase64(Buffer.from(bytes).toString("base64"))]).toEqual([...bytes]);
    const native = Uint8Array as unknown as { fromBase64?: unknown };
    const before = native.fromBase64;
    native.fromBase64 = () => bytes.slice(0, 3);
    expect([...fromBase64("anything")]).toEqual([0, 1, 2]);
    if (before) native.fromBase64 = before;
    else delete native.fromBase64;
  });
});

describe("header", () => {
  test("is read whatever its letters are", async () => {
    const header = { form: 2, title: "</script>\u2028汤姆 😀", unit: "word", maps: [MAP] };
    expect(await readHeader(packed(Buffer.from(JSON.stringify(header))))).toEqual(header);
  });
  test("of another form is refused", async () => {
    await expect(readHeader(packed(Buffer.from('{"form":3}')))).rejects.toThrow("form 3");
  });
  test("says where each map's blocks begin", () => {
    const maps = [map([3, 1, 1], [[2, "dense"], [1, "dense"]]), map([0, 1, 1], []), map([1, 1, 1], [[1, "sparse"]])];
    expect(firstBlocks({ form: 2, title: "", unit: "piece", maps } as Header)).toEqual([0, 2, 2]);
  });
});

describe("blocks", () => {
  test("dense", async () => {
    const block = packed(floats(0.5, 1), Buffer.from([255, 0, 51, 0, 0, 255]));
    const weights = await readWeights(map([2, 3], [[1, "dense"]]), [block]);
    expect([...weights.codes]).toEqual([255, 0, 51, 0, 0, 255]);
    expect([...weights.scales]).toEqual([0.5, 1]);
    expect(weights.leftOut).toBeUndefined();
  });
  test("exact", async () => {
    const block = packed(floats(0.25, 0), floats(0.125, 0.25, 0, 0));
    const weights = await readWeights(map([2, 2], [[1, "exact"]]), [block]);
    expect([...weights.codes]).toEqual([0.125, 0.25, 0, 0]);
    expect([...averaged(weights, [0]).values]).toEqual([0.125, 0.25, 0, 0]);
  });
  test("with left-out weight", async () => {
    const block = packed(floats(0.5, 1), floats(0.25, 0), Buffer.from([1, 2]));
    const weights = await readWeights(map([2, 1], [[1, "dense"]], true), [block]);
    expect([...weights.leftOut!]).toEqual([0.25, 0]);
    expect([...weights.codes]).toEqual([1, 2]);
  });
  test("several make one map", async () => {
    const blocks = [packed(floats(0.5, 0.25), Buffer.from([1, 2])), packed(floats(1), Buffer.from([3]))];
    const weights = await readWeights(map([3, 1, 1], [[2, "dense"], [1, "dense"]]), blocks);
    expect([...weights.codes]).toEqual([1, 2, 3]);
    expect([...weights.scales]).toEqual([0.5, 0.25, 1]);
  });
  test("sparse, with distances of more than one byte", () => {
    // Row 0: column 299 alone. Row 1: nothing. Row 2: columns 0 and 130.
    const weights = empty(1, 3, 300);
    const bytes = Buffer.concat([
      floats(1, 0, 0.5), Buffer.from([1, 0, 2]), Buffer.from([299 & 127 | 128, 299 >> 7, 0, 129 & 127 | 128, 129 >> 7]), Buffer.from([255, 7, 9]),
    ]);
    unpack(new Uint8Array(bytes), "sparse", 0, 1, weights);
    const found = [...weights.codes].flatMap((code, at) => (code ? [[at, code]] : []));
    expect(found).toEqual([[299, 255], [600, 7], [730, 9]]);
  });
  test("cut short is told", () => {
    expect(() => unpack(new Uint8Array(floats(1)), "sparse", 0, 1, empty(1, 1, 5))).toThrow("cut short");
  });
  test("of a map without weights", async () => {
    const weights = await readWeights(map([2, 0, 4], []), []);
    expect(weights.codes.length).toBe(0);
  });
});
