import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { clock, heardAt, isImage, missing, placeAt, readMedium, stepOf, type ImageHeader, type Sound, type SoundHeader } from "../src/medium";

const packed = (bytes: Uint8Array | Buffer) => deflateRawSync(bytes).toString("base64");

const IMAGE: ImageHeader = { kind: "image", blocks: 1, of: 1, rows: 2, columns: 3, size: [6, 4], shape: [2, 1, 3] };
const SOUND: SoundHeader = {
  kind: "sound", blocks: 2, of: 2, places: 4, step: 0.5, seconds: 2, rate: 8000, highest: 4000,
  times: [[0, 0.5], null, [1, 1.5], [1.5, 2]], shape: [3, 2],
};

describe("a medium", () => {
  test("an image", async () => {
    const found = await readMedium(IMAGE, [packed(Buffer.from([1, 2, 3, 4, 5, 255]))]);
    expect(isImage(found) && [...found.pixels!]).toEqual([1, 2, 3, 4, 5, 255]);
  });
  test("a recording", async () => {
    const looked = Buffer.from([-128, -1, 0, 127, 1, 0, 9, 8, 7, 6, 5, 255].map((value) => value & 255));
    const samples = Buffer.alloc(6);
    [-32768, 0, 258].forEach((sample, i) => samples.writeInt16LE(sample, 2 * i));
    const found = (await readMedium(SOUND, [packed(looked), packed(samples)])) as Sound;
    expect([...found.wave!]).toEqual([-128, -1, 0, 127, 1, 0]);
    expect([...found.energy!]).toEqual([9, 8, 7, 6, 5, 255]);
    expect([...found.samples!]).toEqual([-32768, 0, 258]);
  });
  test("what had no room is told", async () => {
    const silent = { ...SOUND, blocks: 1 };
    const found = (await readMedium(silent, [packed(Buffer.alloc(12))])) as Sound;
    expect(found.samples).toBeUndefined();
    expect(missing(silent)).toMatch(/^The sound is not on this page/);
    expect(missing({ ...SOUND, blocks: 0 })).toMatch(/^The recording is not on this page/);
    expect(missing({ ...IMAGE, blocks: 0 })).toMatch(/^The image is not on this page/);
    expect(missing(SOUND)).toBe("");
    expect(await readMedium({ ...SOUND, blocks: 0 }, [])).toEqual({ header: { ...SOUND, blocks: 0 }, wave: undefined, energy: undefined, samples: undefined });
  });
});

test("places of an image, from its upper left corner", () => {
  expect([[0, 0], [0.99, 0], [0.34, 0.51], [1, 1], [-0.1, 2]].map(([x, y]) => placeAt(IMAGE, x!, y!))).toEqual([0, 2, 4, 5, 3]);
});

test("seconds on a clock", () => {
  expect([0, 9.96, 65.2, 600].map(clock)).toEqual(["0:00.0", "0:09.9", "1:05.2", "10:00.0"]);
});

test("the word that is heard", () => {
  expect([0, 0.49, 0.5, 1.2, 1.5, 2].map((seconds) => heardAt(SOUND.times, seconds))).toEqual([0, 0, undefined, 2, 3, undefined]);
});

test("steps of an axis", () => {
  expect([0.03, 0.2, 0.21, 7, 1, 60].map(stepOf).map((step) => Number(step.toPrecision(6)))).toEqual([0.05, 0.2, 0.5, 10, 1, 100]);
});
