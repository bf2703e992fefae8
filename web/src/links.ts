// Which words go with a word, and the lines between them.

import type { Matrix } from "./matrix";

export type Which = "source" | "target";

/** A word of one side. */
export interface Word {
  readonly side: Which;
  readonly at: number;
}

export interface Link {
  readonly source: number;
  readonly target: number;
  readonly weight: number;
}

export function same(a: Word | undefined, b: Word | undefined): boolean {
  return a?.side === b?.side && a?.at === b?.at;
}

/** All links of a word that weigh anything, the heaviest first, the leftmost first among equals. */
export function linksOf(matrix: Matrix, word: Word): Link[] {
  const { rows, columns, values } = matrix;
  const found: Link[] = [];
  if (word.side === "target") {
    for (let c = 0; c < columns; c++) found.push({ source: c, target: word.at, weight: values[word.at * columns + c]! });
  } else {
    for (let r = 0; r < rows; r++) found.push({ source: word.at, target: r, weight: values[r * columns + word.at]! });
  }
  return found.filter((link) => link.weight > 0).sort((a, b) => b.weight - a.weight);
}

/** The links worth drawing for one word: at most `most`, none below a twelfth of the heaviest. */
export function drawnOf(matrix: Matrix, word: Word, most = 24): Link[] {
  const links = linksOf(matrix, word).slice(0, most);
  const least = (links[0]?.weight ?? 0) / 12;
  return links.filter((link) => link.weight >= least);
}

/** The weight between two words of different sides. */
export function weightOf(matrix: Matrix, a: Word, b: Word): number {
  const [source, target] = a.side === "source" ? [a.at, b.at] : [b.at, a.at];
  return matrix.values[target * matrix.columns + source] ?? 0;
}

/** What a whole sentence is about: every link of at least `least`, where the sentences are short enough for a picture. */
export function overview(matrix: Matrix, least = 0.1, longest = 24): Link[] {
  if (matrix.rows > longest || matrix.columns > longest) return [];
  const found: Link[] = [];
  for (let r = 0; r < matrix.rows; r++) {
    for (let c = 0; c < matrix.columns; c++) {
      const weight = matrix.values[r * matrix.columns + c]!;
      if (weight >= least) found.push({ source: c, target: r, weight });
    }
  }
  return found.sort((a, b) => a.weight - b.weight);
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A curve from the lower edge of a source word to the upper edge of a target word. */
export function curve(from: Box, to: Box): string {
  const [x1, y1] = [from.x + from.width / 2, from.y + from.height];
  const [x2, y2] = [to.x + to.width / 2, to.y];
  const bend = Math.max((y2 - y1) / 2, 12);
  const round = (value: number) => Math.round(value * 10) / 10;
  return `M${round(x1)} ${round(y1)}C${round(x1)} ${round(y1 + bend)} ${round(x2)} ${round(y2 - bend)} ${round(x2)} ${round(y2)}`;
}
