// The one matrix that is shown: chosen or averaged over the axes, of pieces or of words, and how strong each weight looks.

import type { MapHeader, Side, Weights } from "./data";

/** A number on an axis, or the mean over it. */
export type Choice = number | "mean";
export type Unit = "piece" | "word";
export type Scale = "linear" | "root";
export type Range = "row" | "whole";

export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** Row by row. */
  readonly values: Float32Array;
  /** For each row the weight that is not in the map. */
  readonly leftOut: Float32Array | undefined;
}

/** The numbers of the matrices that a choice on every axis asks for. */
export function chosen(sizes: readonly number[], choices: readonly Choice[]): number[] {
  let found = [0];
  sizes.forEach((size, axis) => {
    const choice = choices[axis] ?? "mean";
    const numbers = choice === "mean" ? [...Array(size).keys()] : [choice];
    found = found.flatMap((before) => numbers.map((number) => before * size + number));
  });
  return found;
}

/** The mean of some matrices. */
export function averaged(weights: Weights, matrices: readonly number[]): Matrix {
  const { rows, columns, codes, scales } = weights;
  const values = new Float32Array(rows * columns);
  const leftOut = weights.leftOut && new Float32Array(rows);
  for (const matrix of matrices) {
    for (let row = 0; row < rows; row++) {
      const line = matrix * rows + row;
      const factor = unit(weights, scales[line] ?? 0) / matrices.length;
      if (leftOut) leftOut[row] = leftOut[row]! + (weights.leftOut![line] ?? 0) / matrices.length;
      if (!factor) continue;
      for (let to = row * columns, from = line * columns, end = to + columns; to < end; to++, from++) {
        values[to] = values[to]! + codes[from]! * factor;
      }
    }
  }
  return { rows, columns, values, leftOut };
}

/** The weight of a code of 1 in a row whose largest weight is `scale`. */
function unit(weights: Weights, scale: number): number {
  if (weights.codes instanceof Uint8Array) return scale / 255;
  return scale ? 1 : 0;
}

/** For each piece the word that it is a part of. */
export function wordOf(side: Side): number[] {
  return side.sizes.flatMap((size, word) => Array<number>(size).fill(word));
}

/** Words instead of pieces: the weights of a source word's pieces add up, a target word's rows are averaged. */
export function merged(matrix: Matrix, source: Side, target: Side): Matrix {
  const column = wordOf(source);
  const row = wordOf(target);
  const rows = target.sizes.length;
  const columns = source.sizes.length;
  const values = new Float32Array(rows * columns);
  const leftOut = matrix.leftOut && new Float32Array(rows);
  for (let r = 0; r < matrix.rows; r++) {
    const share = 1 / target.sizes[row[r]!]!;
    const begin = row[r]! * columns;
    for (let c = 0; c < matrix.columns; c++) {
      const to = begin + column[c]!;
      values[to] = values[to]! + share * matrix.values[r * matrix.columns + c]!;
    }
    if (leftOut) leftOut[row[r]!] = leftOut[row[r]!]! + share * matrix.leftOut![r]!;
  }
  return { rows, columns, values, leftOut };
}

export function inUnit(matrix: Matrix, map: MapHeader, unit: Unit): Matrix {
  return unit === "word" ? merged(matrix, map.source, map.target) : matrix;
}

export function labels(side: Side, unit: Unit): readonly string[] {
  return unit === "word" ? side.words : side.pieces;
}

/** For each piece or word whether it is outside the text. */
export function outside(side: Side, unit: Unit): boolean[] {
  const special = new Set(side.special);
  const pieces = side.pieces.map((_, piece) => special.has(piece));
  if (unit === "piece") return pieces;
  let first = 0;
  return side.sizes.map((size) => {
    const found = pieces[first] ?? false;
    first += size;
    return found;
  });
}

/** The position of a piece among the words, or of the first piece of a word. */
export function converted(side: Side, position: number, to: Unit): number {
  if (to === "word") return wordOf(side)[position] ?? 0;
  return side.sizes.slice(0, position).reduce((sum, size) => sum + size, 0);
}

export interface Full {
  /** The weight that is shown at full strength, in each row. */
  readonly rows: Float32Array;
  /** The largest weight of all. */
  readonly whole: number;
}

export function full(matrix: Matrix, range: Range): Full {
  const rows = new Float32Array(matrix.rows);
  for (let r = 0; r < matrix.rows; r++) {
    for (let c = 0; c < matrix.columns; c++) rows[r] = Math.max(rows[r]!, matrix.values[r * matrix.columns + c]!);
  }
  const whole = rows.reduce((a, b) => Math.max(a, b), 0);
  return { rows: range === "row" ? rows : rows.map((most) => (most ? whole : 0)), whole };
}

/** From 0 (no weight) to 1 (as heavy as the heaviest). */
export function strength(weight: number, most: number, scale: Scale): number {
  if (!most) return 0;
  const share = Math.min(weight / most, 1);
  return scale === "root" ? Math.sqrt(share) : share;
}

/** How many decimals of a weight are certain enough to be shown, in a row whose heaviest weight is `most`. */
export function decimals(most: number): number {
  return most > 0 ? Math.min(Math.max(Math.floor(Math.log10(510 / most)), 2), 9) : 2;
}
