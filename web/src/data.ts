// What is embedded in the page: a header with the labels of all maps, and the blocks of weights of each.
// The form is described in src/regard/view/packing.py.

import type { MediumHeader } from "./medium";

export interface Side {
  readonly text: string;
  readonly pieces: readonly string[];
  readonly words: readonly string[];
  /** How many pieces each word has, in order. */
  readonly sizes: readonly number[];
  /** The positions of the pieces that are no part of the text, such as the end of the sentence. */
  readonly special: readonly number[];
}

export type Form = "exact" | "dense" | "sparse";

export interface MapHeader {
  readonly place: string;
  readonly convention: "predicting" | "reading";
  readonly note: string;
  readonly axes: readonly string[];
  /** The sizes of the axes, then the number of target and of source pieces. */
  readonly shape: readonly number[];
  readonly leftOut: boolean;
  readonly source: Side;
  readonly target: Side;
  readonly blocks: readonly (readonly [matrices: number, form: Form])[];
  /** Undefined where the source is a text. */
  readonly medium?: MediumHeader;
}

export interface Header {
  readonly form: number;
  readonly title: string;
  readonly unit: "piece" | "word";
  readonly maps: readonly MapHeader[];
}

/**
 * All weights of a map. That in row r, column c of matrix m is codes[(m * rows + r) * columns + c], times scale / 255
 * where the codes are bytes.
 */
export interface Weights {
  readonly matrices: number;
  readonly rows: number;
  readonly columns: number;
  readonly codes: Uint8Array | Float32Array;
  /** The largest weight of each row of each matrix. */
  readonly scales: Float32Array;
  /** The weight of each row of each matrix that is not in the map; undefined where nothing was left out. */
  readonly leftOut: Float32Array | undefined;
}

const FORM = 2;

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const native = Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };
  if (native.fromBase64) return native.fromBase64(text);
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

export async function inflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export async function readHeader(text: string): Promise<Header> {
  const header = JSON.parse(new TextDecoder().decode(await inflated(fromBase64(text)))) as Header;
  if (header.form !== FORM) throw new Error(`This page holds maps in form ${header.form}, its script reads form ${FORM}.`);
  return header;
}

/** Where the blocks of each map begin among all of the page, by how many each has. */
export function firstBlocks(header: Header, count = (map: MapHeader) => map.blocks.length): number[] {
  let next = 0;
  return header.maps.map((map) => {
    const first = next;
    next += count(map);
    return first;
  });
}

/** Unpack the blocks of a map, given as base64. */
export async function readWeights(map: MapHeader, blocks: readonly string[]): Promise<Weights> {
  const [rows, columns] = map.shape.slice(-2) as [number, number];
  const matrices = map.shape.slice(0, -2).reduce((product, size) => product * size, 1);
  const weights: Weights = {
    matrices,
    rows,
    columns,
    // A map is exact as a whole or not at all.
    codes: new (map.blocks[0]?.[1] === "exact" ? Float32Array : Uint8Array)(matrices * rows * columns),
    scales: new Float32Array(matrices * rows),
    leftOut: map.leftOut ? new Float32Array(matrices * rows) : undefined,
  };
  let first = 0;
  const begun = map.blocks.map(async ([count, form], number) => {
    const at = first;
    first += count;
    unpack(await inflated(fromBase64(blocks[number] ?? "")), form, at, count, weights);
  });
  await Promise.all(begun);
  return weights;
}

/** Put `count` matrices that a block holds into `weights`, from matrix `first` on. */
export function unpack(
  bytes: Uint8Array<ArrayBuffer>,
  form: Form,
  first: number,
  count: number,
  weights: Weights,
): void {
  const { rows, columns } = weights;
  const lines = count * rows;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (const column of [weights.scales, weights.leftOut]) {
    if (!column) continue;
    for (let line = 0; line < lines; line++, at += 4) column[first * rows + line] = view.getFloat32(at, true);
  }
  const begin = first * rows * columns;
  if (form === "exact") {
    for (let i = 0; i < lines * columns; i++, at += 4) weights.codes[begin + i] = view.getFloat32(at, true);
    return;
  }
  if (form === "dense") {
    weights.codes.set(bytes.subarray(at, at + lines * columns), begin);
    return;
  }
  const number = () => {
    let result = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("A block of weights is cut short.");
      result += (byte & 127) * shift;
      if (byte < 128) return result;
    }
  };
  const counts = Array.from({ length: lines }, number);
  const places: number[] = [];
  counts.forEach((entries, line) => {
    let column = -1;
    for (let entry = 0; entry < entries; entry++) {
      column += number() + 1;
      places.push(begin + line * columns + column);
    }
  });
  for (const place of places) weights.codes[place] = bytes[at++] ?? 0;
}
