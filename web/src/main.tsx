// Reads what is embedded in the page and shows it.

import { render } from "preact";
import { App, type Unpacked } from "./app";
import { firstBlocks, readHeader, readWeights } from "./data";
import { readMedium } from "./medium";
import "./page.css";

/** So many maps are kept unpacked. */
const KEPT = 6;

async function start(place: HTMLElement): Promise<void> {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This page needs a browser of 2023 or later (Chrome 103, Edge 103, Firefox 113, Safari 16.4).");
  }
  const header = await readHeader(document.getElementById("header")?.textContent ?? "");
  const blocks = document.getElementsByClassName("block");
  const first = firstBlocks(header);
  const media = document.getElementsByClassName("medium");
  const firstMedia = firstBlocks(header, (map) => map.medium?.blocks ?? 0);
  const read = async (number: number): Promise<Unpacked> => {
    const map = header.maps[number]!;
    const textOf = (all: HTMLCollectionOf<Element>, begin: number[]) => (i: number) => all[begin[number]! + i]?.textContent ?? "";
    const weights = readWeights(map, map.blocks.map((_, i) => textOf(blocks, first)(i)));
    const medium = map.medium && readMedium(map.medium, Array.from({ length: map.medium.blocks }, (_, i) => textOf(media, firstMedia)(i)));
    return { weights: await weights, medium: await medium };
  };
  const unpacked = new Map<number, Promise<Unpacked>>();
  const load = (number: number): Promise<Unpacked> => {
    const found = unpacked.get(number) ?? read(number);
    // The map that was asked for last is the last to go.
    unpacked.delete(number);
    unpacked.set(number, found);
    for (const old of [...unpacked.keys()].slice(0, -KEPT)) unpacked.delete(old);
    return found;
  };
  render(<App header={header} load={load} />, place);
}

const place = document.getElementById("app")!;
start(place).catch((error: unknown) => {
  place.className = "failed";
  place.textContent = error instanceof Error ? error.message : String(error);
});
