// Everything the page says about what it shows.

import type { MapHeader } from "./data";
import { decimals, type Choice, type Full, type Range, type Scale, type Unit } from "./matrix";

export type Direction = "ltr" | "rtl";

const RIGHT_TO_LEFT =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Samaritan}\p{Script=Mandaic}\p{Script=Adlam}]/u;

/** The direction of the first letter. */
export function direction(text: string): Direction {
  for (const letter of text) {
    if (RIGHT_TO_LEFT.test(letter)) return "rtl";
    if (/\p{L}/u.test(letter)) return "ltr";
  }
  return "ltr";
}

/** The language whose shapes Han characters have in a text: that of its other letters, else Chinese; "" without any. */
export function language(text: string): "ja" | "ko" | "zh" | "" {
  if (/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text)) return "ja";
  if (/\p{Script=Hangul}/u.test(text)) return "ko";
  return /\p{Script=Han}/u.test(text) ? "zh" : "";
}

/** As `toFixed`, but with what lies in the middle to the even digit, as Python writes the same weight in a terminal. */
export function fixed(weight: number, digits: number): string {
  const text = weight.toFixed(digits);
  const tenths = weight * 10 ** digits;
  const even = 2 * Math.round(tenths / 2);
  return Math.abs(tenths - even) === 0.5 && Number.isInteger(2 ** 20 * weight) ? (even / 10 ** digits).toFixed(digits) : text;
}

/** A weight with as many decimals as are certain in a row whose heaviest weight is `most`. */
export function shown(weight: number, most: number): string {
  const digits = decimals(most);
  const text = fixed(weight, digits);
  return weight > 0 && Number(text) === 0 ? `below ${(10 ** -digits).toFixed(digits)}` : text;
}

export function plural(count: number, name: string): string {
  return `${count.toLocaleString("en")} ${name}${count === 1 ? "" : "s"}`;
}

/** Which of several matrices it is: "layer 3, mean of 12 heads". */
export function choiceText(map: MapHeader, choices: readonly Choice[]): string {
  const means = map.axes.flatMap((axis, i) => (choices[i] === "mean" ? [plural(map.shape[i] ?? 0, axis)] : []));
  const fixed = map.axes.flatMap((axis, i) => (choices[i] === "mean" || map.shape[i] === 1 ? [] : [`${axis} ${choices[i]}`]));
  return [...fixed, ...(means.length ? [`mean of ${means.join(" x ")}`] : [])].join(", ");
}

/** What a row of the matrix is. */
export function conventionText(map: MapHeader): string {
  return map.convention === "predicting"
    ? "each row: what was looked at to predict that word"
    : "each row: what was looked at after reading that word";
}

export function colourText(full: Full, scale: Scale, range: Range): string {
  const root = scale === "root" ? "colour grows with the square root of the weight" : "colour grows with the weight";
  if (range === "row") return `${root}; full colour is the largest weight of each row`;
  return `${root}; full colour is ${shown(full.whole, full.whole)}, the largest weight of all`;
}

/** What is not exact in the numbers; "" where all are. */
export function exactText(map: MapHeader): string {
  return map.blocks.some(([, form]) => form !== "exact") ? "weights in 255 steps of the largest of their row" : "";
}

export function unitText(map: MapHeader, unit: Unit): string {
  if (unit === "piece" || !hasPieces(map)) return "";
  return "pieces merged into words: weights of source pieces added up, rows of target pieces averaged";
}

/** Whether a word of the map has more than one piece. */
export function hasPieces(map: MapHeader): boolean {
  return [...map.source.sizes, ...map.target.sizes].some((size) => size > 1);
}

/** All that must be known to read the colours, for the page and for exported pictures. */
export function statement(
  map: MapHeader,
  choices: readonly Choice[],
  full: Full,
  scale: Scale,
  range: Range,
  unit: Unit,
): string[] {
  const what = [`${map.place} attention`, choiceText(map, choices), map.note].filter(Boolean).join("; ");
  const how = [colourText(full, scale, range), unitText(map, unit), exactText(map)].filter(Boolean).join("; ");
  return [`${capital(what)}; ${conventionText(map)}.`, `${capital(how)}.`];
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
