// The picture of a recording: wave, spectrogram, a row of weights for each word, and the seconds.

import { PALETTES, table } from "./colours";
import { textWidth, type Picture } from "./drawing";
import type { Word } from "./links";
import { stepOf, type Sound, type SoundHeader } from "./medium";
import { FONT } from "./pen";
import { fixed } from "./text";

export interface Parts {
  readonly sound: Sound;
  readonly picture: Picture;
  /** One pixel for each weight. */
  readonly pixels: HTMLCanvasElement;
  /** When each row's word was heard. */
  readonly times: SoundHeader["times"];
  readonly active: Word | undefined;
  readonly width: number;
  readonly height: number;
}

const WAVE = 58;
const SPECTRUM = 112;
const GAP = 6;
/** Where the rows of weights begin. */
export const SPAN = WAVE + SPECTRUM + 2 * GAP;
export const axisHeight = 20;
const [LOWEST_ROW, HIGHEST_ROW, ROWS] = [5, 20, 420];

export function rowHeight(rows: number): number {
  return Math.min(Math.max(ROWS / Math.max(rows, 1), LOWEST_ROW), HIGHEST_ROW);
}

export function heightOf(rows: number): number {
  return SPAN + rows * rowHeight(rows);
}

export function drawSound(canvas: HTMLCanvasElement, parts: Parts): void {
  const { sound, picture, pixels, times, active, width, height } = parts;
  const { palette } = picture;
  const context = sized(canvas, width, height + axisHeight, palette.paper);
  if (!context) return;
  const { header } = sound;
  const x = (seconds: number) => (seconds / header.seconds) * width;
  if (sound.wave) drawWave(context, sound.wave, width, palette.quiet);
  if (sound.energy) {
    context.imageSmoothingEnabled = true;
    context.drawImage(spectrum(sound), 0, WAVE + GAP, width, SPECTRUM);
  }
  context.imageSmoothingEnabled = false;
  const rows = picture.matrix.rows;
  const high = rowHeight(rows);
  context.drawImage(pixels, 0, SPAN, x(header.places * header.step), rows * high);
  times.forEach((time, row) => {
    if (!time) return;
    const lit = active?.side === "target" && active.at === row;
    if (lit) {
      context.fillStyle = palette.accent;
      context.globalAlpha = 0.18;
      context.fillRect(x(time[0]), 0, x(time[1] - time[0]), WAVE + GAP + SPECTRUM);
      context.globalAlpha = 1;
    }
    context.fillStyle = palette.accent;
    context.globalAlpha = lit ? 1 : 0.55;
    // In its row, and as a mark above the wave.
    for (const edge of time) context.fillRect(x(edge) - 0.5, SPAN + row * high, lit ? 2 : 1, high);
    context.fillRect(x(time[0]), 0, Math.max(x(time[1] - time[0]) - 1, 1), 3);
    context.globalAlpha = 1;
  });
  context.strokeStyle = palette.accent;
  context.lineWidth = 2;
  if (active?.side === "target") context.strokeRect(1, SPAN + active.at * high, width - 2, high);
  if (active?.side === "source") context.strokeRect(x(active.at * header.step), 1, x(header.step), height - 2);
  drawAxis(context, header, width, height, palette.quiet);
}

function drawWave(context: CanvasRenderingContext2D, wave: Int8Array, width: number, colour: string): void {
  const columns = wave.length / 2;
  context.fillStyle = colour;
  const middle = WAVE / 2;
  for (let at = 0; at < columns; at++) {
    const [low, high] = [wave[at]! / 127, wave[columns + at]! / 127];
    const top = middle - high * (middle - 3);
    context.fillRect((at * width) / columns, top, width / columns + 0.3, Math.max((high - low) * (middle - 3), 1));
  }
}

/** The spectrogram, one pixel for each point, in the colours of the dark page on both. */
function spectrum(sound: Sound): HTMLCanvasElement {
  const [columns, bands] = sound.header.shape;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, bands];
  const context = canvas.getContext("2d")!;
  const data = context.createImageData(columns, bands);
  const pixels = new Uint32Array(data.data.buffer);
  const colours = table(PALETTES.dark.ramp);
  for (let band = 0; band < bands; band++) {
    for (let column = 0; column < columns; column++) {
      pixels[(bands - 1 - band) * columns + column] = colours[sound.energy![band * columns + column]!]!;
    }
  }
  context.putImageData(data, 0, 0);
  return canvas;
}

function drawAxis(context: CanvasRenderingContext2D, header: SoundHeader, width: number, height: number, colour: string): void {
  const step = stepOf((header.seconds * 64) / width);
  const digits = Math.max(-Math.floor(Math.log10(step) + 1e-9), 0);
  context.font = `11px ${FONT}`;
  context.fillStyle = colour;
  context.textBaseline = "top";
  for (let number = 0; number * step <= header.seconds + 1e-9; number++) {
    const at = (number * step * width) / header.seconds;
    context.fillRect(Math.min(at, width - 1), height, 1, 4);
    const text = `${fixed(number * step, digits)}${number ? "" : " s"}`;
    if (at + textWidth(text, 11) < width) context.fillText(text, at + 2, height + 5);
  }
}

/** What stands beside the picture, and stays where it is scrolled. */
export function drawLabels(canvas: HTMLCanvasElement, { sound, picture, active, height }: Parts, width: number): void {
  const { palette } = picture;
  const context = sized(canvas, width, height + axisHeight, palette.paper);
  if (!context) return;
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.font = `11px ${FONT}`;
  context.fillStyle = palette.quiet;
  const kilohertz = sound.header.highest / 1000;
  for (const [share, text] of [[0.06, `${Number(kilohertz.toFixed(1))} kHz`], [0.94, "0"]] as const) {
    context.fillText(text, width - 6, WAVE + GAP + share * SPECTRUM);
  }
  const rows = picture.target.length;
  const high = rowHeight(rows);
  if (high < 9) return;
  const size = Math.min(13, high - 2);
  picture.target.forEach((label, row) => {
    const lit = active?.side === "target" && active.at === row;
    context.font = `${lit ? "bold " : ""}${size}px ${FONT}`;
    context.fillStyle = lit ? palette.accent : picture.outsideTarget[row] ? palette.quiet : palette.ink;
    context.fillText(label, width - 6, SPAN + (row + 0.5) * high, width - 10);
  });
}

function sized(canvas: HTMLCanvasElement, width: number, height: number, paper: string): CanvasRenderingContext2D | undefined {
  const ratio = Math.min(devicePixelRatio || 1, 16_000 / width);
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  if (!context) return undefined;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = paper;
  context.fillRect(0, 0, width, height);
  return context;
}
