// A map of two layers and two heads, "Tom ch ases </s>" to "汤姆 追 </s>", for tests.

import type { MapHeader, Weights } from "../src/data";

export const MAP: MapHeader = {
  place: "cross",
  convention: "predicting",
  note: "",
  axes: ["layer", "head"],
  shape: [2, 2, 3, 4],
  leftOut: false,
  source: { text: "Tom chases", pieces: ["Tom", "ch", "ases", "</s>"], words: ["Tom", "chases", "</s>"], sizes: [1, 2, 1], special: [3] },
  target: { text: "汤姆追", pieces: ["汤姆", "追", "</s>"], words: ["汤姆", "追", "</s>"], sizes: [1, 1, 1], special: [2] },
  blocks: [[4, "dense"]],
};

/** Matrix m has weights (m + 1) / 4 where row and column are equal, else 0. */
export function diagonal(leftOut = false): Weights {
  const codes = new Uint8Array(4 * 12);
  const scales = new Float32Array(4 * 3);
  for (let m = 0; m < 4; m++) {
    for (let r = 0; r < 3; r++) {
      codes[m * 12 + r * 4 + r] = 255;
      scales[m * 3 + r] = (m + 1) / 4;
    }
  }
  return { matrices: 4, rows: 3, columns: 4, codes, scales, leftOut: leftOut ? new Float32Array(12).fill(0.1) : undefined };
}
