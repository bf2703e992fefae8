// What a map is over where its source is no text: an image, or a recording. The form is told in
// src/regard/view/embedding.py.

import { fromBase64, inflated } from "./data";

interface Embedded {
  /** How many of its blocks are on the page, and of how many; what is missing had no room. */
  readonly blocks: number;
  readonly of: number;
}

export interface ImageHeader extends Embedded {
  readonly kind: "image";
  readonly rows: number;
  readonly columns: number;
  /** Width and height of the image that the model saw, and width, height and channels of what is embedded. */
  readonly size: readonly [number, number];
  readonly shape: readonly [number, number, number];
}

export interface SoundHeader extends Embedded {
  readonly kind: "sound";
  readonly places: number;
  readonly step: number;
  readonly seconds: number;
  readonly rate: number;
  /** Of the spectrogram in Hz. */
  readonly highest: number;
  /** Start and end of each word of the target, in seconds; none outside the text. */
  readonly times: readonly (readonly [number, number] | null)[];
  /** Columns and bands of the picture of it. */
  readonly shape: readonly [number, number];
}

export type MediumHeader = ImageHeader | SoundHeader;

export interface Image {
  readonly header: ImageHeader;
  readonly pixels: Uint8Array | undefined;
}

export interface Sound {
  readonly header: SoundHeader;
  /** The lowest, then the highest sample of each column, -127 to 127. */
  readonly wave: Int8Array | undefined;
  /** Rows of bands, the lowest first. */
  readonly energy: Uint8Array | undefined;
  readonly samples: Int16Array<ArrayBuffer> | undefined;
}

export type Medium = Image | Sound;

export function isImage(medium: Medium): medium is Image {
  return medium.header.kind === "image";
}

/** Unpack the blocks of a medium, given as base64. */
export async function readMedium(header: MediumHeader, texts: readonly string[]): Promise<Medium> {
  const blocks = await Promise.all(texts.slice(0, header.blocks).map((text) => inflated(fromBase64(text))));
  if (header.kind === "image") return { header, pixels: blocks[0] };
  const [columns] = header.shape;
  const looked = blocks[0];
  return {
    header,
    wave: looked && new Int8Array(looked.buffer, looked.byteOffset, 2 * columns),
    energy: looked?.subarray(2 * columns),
    samples: blocks[1] && samplesOf(blocks[1]),
  };
}

/** Little-endian, whatever this machine's order is. */
function samplesOf(bytes: Uint8Array<ArrayBuffer>): Int16Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int16Array.from({ length: bytes.byteLength >> 1 }, (_, i) => view.getInt16(2 * i, true));
}

/** What had no room on the page; "" where all is there. */
export function missing(header: MediumHeader): string {
  if (header.blocks === header.of) return "";
  if (header.kind === "image") return "The image is not on this page, which has room for 24 MB of images and sound.";
  const part = header.blocks ? "The sound is" : "The recording is";
  return `${part} not on this page, which has room for 24 MB of images and sound.`;
}

/** The place of a grid at a point of the image, both from 0 to 1. */
export function placeAt(header: ImageHeader, x: number, y: number): number {
  const within = (share: number, count: number) => Math.min(Math.max(Math.floor(share * count), 0), count - 1);
  return within(y, header.rows) * header.columns + within(x, header.columns);
}

/** Seconds as a clock shows them: "1:05.2". */
export function clock(seconds: number): string {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

/** The number of the word that is heard at a time, the first of several; undefined between words. */
export function heardAt(times: SoundHeader["times"], seconds: number): number | undefined {
  const found = times.findIndex((time) => time && time[0] <= seconds && seconds < time[1]);
  return found < 0 ? undefined : found;
}

/** Even steps for the numbers of an axis: at least `least` apart, of 1, 2 or 5 times a power of ten. */
export function stepOf(least: number): number {
  const scale = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * scale).find((step) => step >= least * (1 - 1e-9)) ?? 10 * scale;
}
