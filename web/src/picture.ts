// The current view as one picture for a file: what is shown, the two sentences with their links, the matrix, the scale.

import type { Palette } from "./colours";
import { draw, drawScale, layout, pixelsOf, textWidth, type Picture } from "./drawing";
import { curve, type Box, type Word } from "./links";
import { canvasPen, svgPen, type Pen } from "./pen";

/** A word as it stands on the page, relative to the box of both sentences. */
export interface Chip extends Box {
  readonly label: string;
  readonly rtl: boolean;
  readonly fill: string;
  readonly ink: string;
  readonly lit: boolean;
  readonly size: number;
}

export interface Line {
  readonly from: Box;
  readonly to: Box;
  readonly share: number;
}

/** The two sentences as they stand on the page. */
export interface Sentences {
  readonly width: number;
  readonly height: number;
  readonly chips: readonly Chip[];
  readonly lines: readonly Line[];
  /** What an image or a recording looks like. */
  readonly canvases: readonly (Box & { readonly canvas: HTMLCanvasElement })[];
}

export interface Shown {
  readonly picture: Picture;
  readonly cell: number;
  readonly pin: Word | undefined;
  readonly range: "row" | "whole";
  readonly statement: readonly string[];
  readonly sentences: Sentences;
}

const MARGIN = 24;
const LARGEST_SIDE = 16_000;

/** How thick and how opaque the line of a link is, from its strength. */
export function lineStyle(share: number): { thickness: number; opacity: number } {
  return { thickness: 1 + 2.5 * share, opacity: 0.12 + 0.78 * share };
}

export function toSvg(shown: Shown): string {
  const plan = planned(shown);
  const { pen, file } = svgPen(plan.width, plan.height, shown.picture.palette.paper);
  plan.draw(pen);
  return file();
}

export async function toPng(shown: Shown): Promise<Blob> {
  const plan = planned(shown);
  const times = Math.min(2, LARGEST_SIDE / Math.max(plan.width, plan.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(plan.width * times);
  canvas.height = Math.round(plan.height * times);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser gives no canvas to draw on.");
  context.fillStyle = shown.picture.palette.paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(times, times);
  plan.draw(canvasPen(context));
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large for this browser."))));
  });
}

export function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser reads the address after this turn.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function planned(shown: Shown): { width: number; height: number; draw: (pen: Pen) => void } {
  const { picture, sentences } = shown;
  const { palette } = picture;
  const made = layout(picture, shown.cell);
  const inner = Math.max(made.width, sentences.width, 460);
  const text = shown.statement.flatMap((line) => wrapped(line, inner, 12));
  const textTop = MARGIN;
  const sentencesTop = textTop + text.length * 18 + 14;
  const matrixTop = sentencesTop + sentences.height + 20;
  const scaleTop = matrixTop + made.height + 18;
  return {
    width: inner + 2 * MARGIN,
    height: scaleTop + MARGIN,
    draw(pen) {
      text.forEach((line, i) => pen.text(line, MARGIN, textTop + i * 18 + 6, { size: 12, colour: palette.quiet }));
      drawSentences(moved(pen, MARGIN, sentencesTop), sentences, palette);
      const window = { x: 0, y: 0, width: made.width, height: made.height };
      draw(moved(pen, MARGIN, matrixTop), picture, made, window, { cell: undefined, pin: shown.pin }, () => pixelsOf(picture));
      drawScale(pen, picture, MARGIN + Math.min(made.left, 40), scaleTop, shown.range);
    },
  };
}

function drawSentences(pen: Pen, sentences: Sentences, palette: Palette): void {
  for (const { canvas, x, y, width, height } of sentences.canvases) pen.pixels(canvas, x, y, width, height);
  for (const line of sentences.lines) {
    const { thickness, opacity } = lineStyle(line.share);
    pen.path(curve(line.from, line.to), palette.accent, thickness, opacity);
  }
  for (const chip of sentences.chips) {
    pen.rect(chip.x, chip.y, chip.width, chip.height, chip.fill, 6);
    pen.frame(chip.x, chip.y, chip.width, chip.height, chip.lit ? palette.accent : palette.line, chip.lit ? 2 : 1, 6);
    pen.text(chip.label, chip.x + chip.width / 2, chip.y + chip.height / 2 + 1, {
      size: chip.size, colour: chip.ink, align: "center", bold: chip.lit, rtl: chip.rtl,
    });
  }
}

/** A pen whose paper begins elsewhere. */
function moved(pen: Pen, dx: number, dy: number): Pen {
  return {
    rect: (x, y, ...rest) => pen.rect(x + dx, y + dy, ...rest),
    frame: (x, y, ...rest) => pen.frame(x + dx, y + dy, ...rest),
    // Paths of this page use absolute coordinates only: every second number is a y.
    path: (d, ...rest) => {
      let second = true;
      pen.path(d.replace(/-?[\d.]+(?:e-?\d+)?/g, (number) => String(Number(number) + ((second = !second) ? dy : dx))), ...rest);
    },
    text: (text, x, y, style) => pen.text(text, x + dx, y + dy, style),
    pixels: (source, x, y, ...rest) => pen.pixels(source, x + dx, y + dy, ...rest),
  };
}

/** Text broken into lines of at most `width`. */
export function wrapped(text: string, width: number, size: number, measure = textWidth): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && measure(`${last} ${word}`, size) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
