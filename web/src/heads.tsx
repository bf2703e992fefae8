// Every matrix of a map as a thumbnail: an overview of layers and heads, and the way to choose one.

import { useEffect, useRef, useState } from "preact/hooks";
import { table, type Palette } from "./colours";
import type { MapHeader, Weights } from "./data";
import type { Choice } from "./matrix";

interface Props {
  readonly map: MapHeader;
  readonly weights: Weights;
  readonly palette: Palette;
  readonly mirrored: boolean;
  readonly choices: readonly Choice[];
  readonly onChoose: (choices: readonly Choice[]) => void;
}

/** Pixels of a thumbnail's longer side, at most. */
const SIDE = 48;

export function Heads({ map, weights, palette, mirrored, choices, onChoose }: Props) {
  const grid = useRef<HTMLDivElement>(null);
  const [wide, setWide] = useState(false);
  const sizes = map.shape.slice(0, -2);
  const across = sizes.at(-1) ?? 1;
  const [rowAxis, columnAxis] = sizes.length === 2 ? [map.axes[0]!, map.axes[1]!] : ["", map.axes[0] ?? ""];
  const current = choices.every((choice) => choice !== "mean")
    ? sizes.length === 2 ? Number(choices[0]) * across + Number(choices[1]) : Number(choices[0])
    : -1;

  useEffect(() => {
    // After the first frame, and a few at a time, so that the page answers meanwhile.
    const canvases = [...(grid.current?.querySelectorAll("canvas") ?? [])];
    let next = 0;
    let timer = 0;
    const some = () => {
      const end = performance.now() + 12;
      while (next < canvases.length && performance.now() < end) {
        thumbnail(canvases[next]!, weights, next, palette, mirrored);
        next++;
      }
      if (next < canvases.length) timer = window.setTimeout(some);
    };
    const frame = requestAnimationFrame(() => { timer = window.setTimeout(some); });
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    };
  }, [weights, palette, mirrored]);

  const onKey = (event: KeyboardEvent, number: number) => {
    const to = { ArrowRight: number + 1, ArrowLeft: number - 1, ArrowDown: number + across, ArrowUp: number - across }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    grid.current?.querySelectorAll<HTMLElement>("button")[to]?.focus();
  };
  const choice = (number: number): Choice[] => (sizes.length === 2 ? [Math.floor(number / across), number % across] : [number]);
  const name = (number: number) => choice(number).map((n, axis) => `${map.axes[axis]} ${n}`).join(", ");

  return (
    <section class={`card heads${wide ? " wide" : ""}`} aria-label={`all ${map.axes.map((axis) => `${axis}s`).join(" and ")}`}>
      <header>
        <h2>{sizes.length === 2 ? <>{plain(rowAxis)} <small>down,</small> {plain(columnAxis)} <small>across</small></> : plain(columnAxis)}</h2>
        <button type="button" class="plain" aria-pressed={wide} onClick={() => setWide(!wide)}>{wide ? "smaller" : "larger"}</button>
      </header>
      <div class="grid" ref={grid} style={{ "--across": Math.min(across, 16) }}>
        {Array.from({ length: weights.matrices }, (_, number) => (
          <button
            type="button"
            key={number}
            title={name(number)}
            aria-label={name(number)}
            aria-pressed={number === current}
            tabIndex={number === Math.max(current, 0) ? 0 : -1}
            onKeyDown={(event) => onKey(event, number)}
            onClick={() => onChoose(number === current ? choices.map(() => "mean") : choice(number))}
          >
            <canvas aria-hidden="true" />
          </button>
        ))}
      </div>
      <p class="hint">Each in its own scale: square root of the weight, full colour the largest of each row; the heaviest of the weights that share a pixel.</p>
    </section>
  );
}

function plain(axis: string): string {
  return `${axis}s`;
}

/** Draw one matrix small: a pixel is as strong as the strongest weight under it, so that no line of weight is lost. */
function thumbnail(canvas: HTMLCanvasElement, weights: Weights, matrix: number, palette: Palette, mirrored: boolean): void {
  const { rows, columns, codes, scales } = weights;
  const shrink = Math.max(1, Math.max(rows, columns) / SIDE);
  const [height, width] = [Math.max(1, Math.ceil(rows / shrink)), Math.max(1, Math.ceil(columns / shrink))];
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  if (!context) return;
  const most = new Float32Array(width * height);
  for (let row = 0; row < rows; row++) {
    const scale = scales[matrix * rows + row];
    if (!scale) continue;
    const full = codes instanceof Uint8Array ? 255 : scale;
    const line = Math.floor(row / shrink) * width;
    const begin = (matrix * rows + row) * columns;
    for (let column = 0; column < columns; column++) {
      const at = line + Math.floor((mirrored ? columns - 1 - column : column) / shrink);
      const share = codes[begin + column]! / full;
      if (share > most[at]!) most[at] = share;
    }
  }
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = table(palette.ramp);
  most.forEach((share, at) => (pixels[at] = colours[Math.round(Math.sqrt(share) * 255)]!));
  context.putImageData(image, 0, 0);
}
