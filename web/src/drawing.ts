// The matrix as a picture: rows are target words, columns source words, labels above and at the left.

import { css, inkOn, mixed, table, type Palette } from "./colours";
import { strength, type Full, type Matrix, type Scale } from "./matrix";
import type { Word } from "./links";
import { FONT, type Pen } from "./pen";
import { fixed, shown, type Direction } from "./text";

export interface Picture {
  readonly matrix: Matrix;
  readonly full: Full;
  readonly scale: Scale;
  readonly palette: Palette;
  readonly source: readonly string[];
  readonly target: readonly string[];
  readonly outsideSource: readonly boolean[];
  readonly outsideTarget: readonly boolean[];
  readonly sourceDirection: Direction;
  readonly targetDirection: Direction;
}

/** How large everything is, in CSS pixels. */
export interface Layout {
  readonly cell: number;
  /** The room of the labels at the left and above, and what a slanted label may reach beyond the last column. */
  readonly left: number;
  readonly top: number;
  readonly right: number;
  /** 0: level, -90: upright, between: slanted. */
  readonly turn: number;
  readonly size: number;
  readonly width: number;
  readonly height: number;
}

export interface Cell {
  readonly row: number;
  readonly column: number;
}

/** What part of the picture is drawn: its upper left corner, and its size. */
export interface Window {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Marks {
  readonly cell: Cell | undefined;
  readonly pin: Word | undefined;
}

/** The size of a cell where there is room for all. */
export const LARGEST = 44;
const SMALLEST_LABEL = 9;
const LONGEST_LABEL = 150;
/** From this size on cells are drawn one by one, with a gap, and then with their number in them. */
const APART = 9;
const NUMBERED = 34;
/** So many cells are drawn one by one at most. */
const MOST_APART = 40_000;

let measuring: CanvasRenderingContext2D | null | undefined;

export function textWidth(text: string, size: number): number {
  measuring ??= document.createElement("canvas").getContext("2d");
  if (!measuring) return text.length * size * 0.6;
  measuring.font = `${size}px ${FONT}`;
  return measuring.measureText(text).width;
}

/** The largest cell at which a matrix and its labels fit into `width`; never so small that a weight has no pixel. */
export function fitting(picture: Picture, width: number, widths = measured(picture)): number {
  const margin = Math.min(widths.target, LONGEST_LABEL) + 48;
  return Math.min(Math.max((width - margin) / Math.max(picture.matrix.columns, 1), 2), LARGEST);
}

function measured(picture: Picture): { source: number; target: number } {
  const widest = (labels: readonly string[]) => labels.reduce((most, label) => Math.max(most, textWidth(label, 13)), 0);
  return { source: widest(picture.source), target: widest(picture.target) };
}

export function layout(picture: Picture, cell: number): Layout {
  const widths = measured(picture);
  const size = cell < SMALLEST_LABEL ? 0 : Math.min(13, cell * 0.95);
  const share = size / 13;
  const source = Math.min(widths.source, LONGEST_LABEL) * share;
  const level = source <= cell - 4;
  const turn = level ? 0 : cell >= 18 ? -45 : -90;
  const rise = level ? 13 : turn === -45 ? source * 0.71 + 12 : source + 4;
  const left = size ? Math.min(widths.target, LONGEST_LABEL) * share + 14 : 10;
  const top = size ? rise + 12 : 10;
  const right = turn === -45 && size ? Math.min(source * 0.71 + 6, 110) : 6;
  const { rows, columns } = picture.matrix;
  return { cell, left, top, right, turn, size, width: left + columns * cell + right, height: top + rows * cell + 6 };
}

/** From the place of a column in the text to its place on the paper, and back. */
export function placed(picture: Picture, column: number): number {
  return picture.sourceDirection === "rtl" ? picture.matrix.columns - 1 - column : column;
}

/** The weight at a point of the picture's window, if there is one. */
export function cellAt(picture: Picture, made: Layout, x: number, y: number): Cell | undefined {
  const column = Math.floor((x - made.left) / made.cell);
  const row = Math.floor((y - made.top) / made.cell);
  if (column < 0 || row < 0 || column >= picture.matrix.columns || row >= picture.matrix.rows) return undefined;
  return { row, column: placed(picture, column) };
}

/** The word whose label is at a point, where labels are drawn. */
export function labelAt(picture: Picture, made: Layout, x: number, y: number, scrolled: Window): Word | undefined {
  if (!made.size) return undefined;
  if (x < made.left && y >= made.top) {
    const row = Math.floor((y + scrolled.y - made.top) / made.cell);
    return row >= 0 && row < picture.matrix.rows ? { side: "target", at: row } : undefined;
  }
  if (y < made.top && x >= made.left) {
    const slant = made.turn === -45 ? made.top - 6 - y : 0;
    const column = Math.floor((x + scrolled.x - slant - made.left) / made.cell);
    return column >= 0 && column < picture.matrix.columns ? { side: "source", at: placed(picture, column) } : undefined;
  }
  return undefined;
}

/** One pixel for each weight. */
export function pixelsOf(picture: Picture): HTMLCanvasElement {
  const { rows, columns, values } = picture.matrix;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(columns, 1);
  canvas.height = Math.max(rows, 1);
  const context = canvas.getContext("2d");
  if (!context || !rows || !columns) return canvas;
  const image = context.createImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = table(picture.palette.ramp);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const share = strength(values[r * columns + c]!, picture.full.rows[r]!, picture.scale);
      pixels[r * columns + placed(picture, c)] = colours[Math.round(share * 255)]!;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Draw the part of the picture that a window shows, with its labels kept in sight. */
export function draw(pen: Pen, picture: Picture, made: Layout, window: Window, marks: Marks, pixels: () => HTMLCanvasElement): void {
  const { cell, left, top } = made;
  const { rows, columns } = picture.matrix;
  const [dx, dy] = [left - window.x, top - window.y];
  const [firstRow, lastRow] = seen(rows, cell, window.y, window.height - top);
  const [firstPlace, lastPlace] = seen(columns, cell, window.x, window.width - left);
  if (cell < APART || (lastRow - firstRow) * (lastPlace - firstPlace) > MOST_APART) {
    pen.pixels(pixels(), dx, dy, columns * cell, rows * cell);
  } else {
    for (let row = firstRow; row < lastRow; row++) {
      for (let place = firstPlace; place < lastPlace; place++) drawCell(pen, picture, cell, row, place, dx, dy);
    }
  }
  drawEmptyRows(pen, picture, made, firstRow, lastRow, dx, dy, window);
  drawMarks(pen, picture, made, dx, dy, marks, window);
  drawLabels(pen, picture, made, window, marks, [firstRow, lastRow], [firstPlace, lastPlace]);
}

function seen(count: number, cell: number, scrolled: number, room: number): [number, number] {
  return [Math.max(Math.floor(scrolled / cell), 0), Math.min(Math.ceil((scrolled + room) / cell), count)];
}

function drawCell(pen: Pen, picture: Picture, cell: number, row: number, place: number, dx: number, dy: number): void {
  const column = placed(picture, place);
  const weight = picture.matrix.values[row * picture.matrix.columns + column]!;
  const share = strength(weight, picture.full.rows[row]!, picture.scale);
  const colour = mixed(picture.palette.ramp, share);
  const gap = cell >= 18 ? 1 : 0.5;
  const [x, y] = [dx + place * cell, dy + row * cell];
  pen.rect(x + gap, y + gap, cell - 2 * gap, cell - 2 * gap, css(colour), cell >= 18 ? 3 : 0);
  if (cell >= NUMBERED && weight >= 0.005) {
    pen.text(fixed(weight, 2).replace(/^0/, ""), x + cell / 2, y + cell / 2 + 0.5, {
      size: 11,
      colour: inkOn(colour),
      align: "center",
    });
  }
}

function drawEmptyRows(
  pen: Pen, picture: Picture, made: Layout, first: number, last: number, dx: number, dy: number, window: Window,
): void {
  for (let row = first; row < last; row++) {
    if (picture.full.rows[row]) continue;
    const y = dy + (row + 0.5) * made.cell;
    const end = Math.min(dx + picture.matrix.columns * made.cell, window.width);
    pen.path(`M${dx} ${y}L${end} ${y}`, picture.palette.quiet, 1, 0.7);
  }
}

function drawMarks(
  pen: Pen, picture: Picture, made: Layout, dx: number, dy: number, marks: Marks, window: Window,
): void {
  const { cell } = made;
  const [width, height] = [picture.matrix.columns * cell, picture.matrix.rows * cell];
  const thickness = cell >= APART ? 2 : 1;
  const row = (at: number) => pen.frame(dx, dy + at * cell, width, cell, picture.palette.accent, thickness);
  const column = (at: number) =>
    pen.frame(dx + placed(picture, at) * cell, dy, cell, height, picture.palette.accent, thickness);
  if (marks.pin?.side === "target") row(marks.pin.at);
  if (marks.pin?.side === "source") column(marks.pin.at);
  if (!marks.cell) return;
  const [x, y] = [dx + placed(picture, marks.cell.column) * cell, dy + marks.cell.row * cell];
  const [mx, my] = [x + cell / 2, y + cell / 2];
  const room = cell / 2 + 1;
  const ink = picture.palette.ink;
  pen.path(`M${made.left} ${my}L${Math.max(mx - room, made.left)} ${my}`, ink, 1, 0.35);
  pen.path(`M${mx} ${made.top}L${mx} ${Math.max(my - room, made.top)}`, ink, 1, 0.35);
  if (x < window.width) pen.frame(x, y, cell, cell, ink, Math.min(2, Math.max(1, cell / 6)));
}

function drawLabels(
  pen: Pen, picture: Picture, made: Layout, window: Window, marks: Marks,
  [firstRow, lastRow]: [number, number], [firstPlace, lastPlace]: [number, number],
): void {
  const { cell, left, top, size } = made;
  const { palette } = picture;
  // Paper under the labels: what was scrolled away must not shine through.
  if (window.x > 0) pen.rect(0, 0, left - 1, window.height, palette.paper);
  if (window.y > 0) pen.rect(0, 0, window.width, top - 1, palette.paper);
  if (!size) return;
  for (let row = firstRow; row < lastRow; row++) {
    const y = top - window.y + (row + 0.5) * cell;
    if (y < top - 1) continue;
    const lit = marks.cell?.row === row || (marks.pin?.side === "target" && marks.pin.at === row);
    pen.text(cut(picture.target[row] ?? "", size), left - 8, y, {
      size, align: "end", bold: lit, rtl: picture.targetDirection === "rtl",
      colour: lit ? palette.accent : picture.outsideTarget[row] ? palette.quiet : palette.ink,
    });
  }
  for (let place = firstPlace; place < lastPlace; place++) {
    const x = left - window.x + (place + 0.5) * cell;
    if (x < left - 1) continue;
    const column = placed(picture, place);
    const lit = marks.cell?.column === column || (marks.pin?.side === "source" && marks.pin.at === column);
    pen.text(cut(picture.source[column] ?? "", size), x, made.turn ? top - 5 : top - size / 2 - 5, {
      size, align: made.turn ? "start" : "center", bold: lit, turn: made.turn, rtl: picture.sourceDirection === "rtl",
      colour: lit ? palette.accent : picture.outsideSource[column] ? palette.quiet : palette.ink,
    });
  }
}

/** A label no longer than labels may be. */
export function cut(label: string, size: number): string {
  const most = (LONGEST_LABEL * size) / 13 + 1;
  if (textWidth(label, size) <= most) return label;
  const letters = [...label];
  while (letters.length > 1 && textWidth(`${letters.join("")}…`, size) > most) letters.pop();
  return `${letters.join("")}…`;
}

/** The scale of colours with its ends named. */
export function drawScale(pen: Pen, picture: Picture, x: number, y: number, range: "row" | "whole"): void {
  const steps = 48;
  for (let step = 0; step < steps; step++) {
    const share = strength(step / (steps - 1), 1, picture.scale);
    pen.rect(x + 16 + step * 3, y - 5, 3.2, 10, css(mixed(picture.palette.ramp, share)));
  }
  const style = { size: 11, colour: picture.palette.quiet };
  pen.text("0", x, y, style);
  const most = range === "row" ? "largest of the row" : shown(picture.full.whole, picture.full.whole);
  pen.text(most, x + 16 + steps * 3 + 8, y, style);
}
