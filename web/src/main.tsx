// Reads what is embedded in the page and shows it.

import { render } from "preact";
import { App } from "./app";
import { firstBlocks, readHeader, readWeights, type Weights } from "./data";
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
  const unpacked = new Map<number, Promise<Weights>>();
  const load = (number: number): Promise<Weights> => {
    const map = header.maps[number]!;
    const texts = map.blocks.map((_, i) => blocks[first[number]! + i]?.textContent ?? "");
    const weights = unpacked.get(number) ?? readWeights(map, texts);
    // The map that was asked for last is the last to go.
    unpacked.delete(number);
    unpacked.set(number, weights);
    for (const old of [...unpacked.keys()].slice(0, -KEPT)) unpacked.delete(old);
    return weights;
  };
  render(<App header={header} load={load} />, place);
}

const place = document.getElementById("app")!;
start(place).catch((error: unknown) => {
  place.className = "failed";
  place.textContent = error instanceof Error ? error.message : String(error);
});
