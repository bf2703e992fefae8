// An image with the weights of one word over it, or with the place that is pointed at, and the words below.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { RefObject } from "preact";
import type { Palette } from "./colours";
import type { Picture } from "./drawing";
import { drawnOf, same, type Which, type Word } from "./links";
import { strength } from "./matrix";
import { placeAt, type Image, type ImageHeader } from "./medium";
import { Targets } from "./sentences";
import { shown } from "./text";

export interface Overlay {
  /** How strong the weights lie over the image, from 0, not at all, to 1. */
  readonly amount: number;
  /** Between the centres of places, or a box for each. */
  readonly smooth: boolean;
}

interface Props {
  readonly image: Image;
  readonly picture: Picture;
  readonly wordsOf: Readonly<Record<Which, readonly number[]>> | undefined;
  readonly pin: Word | undefined;
  readonly active: Word | undefined;
  readonly overlay: Overlay;
  readonly box: RefObject<HTMLDivElement | null>;
  readonly onOverlay: (overlay: Overlay) => void;
  readonly onPin: (word: Word | undefined) => void;
  readonly onHover: (word: Word | undefined, told: boolean) => void;
}

const HIGHEST = 460;
/** A small image is not made larger than so many times. */
const LARGEST = 8;
const TINT: readonly [number, number, number] = [222, 74, 0];

export function ImageView({ image, picture, wordsOf, pin, active, overlay, box, onOverlay, onPin, onHover }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [room, setRoom] = useState(0);
  const { header } = image;
  const drawn = useMemo(() => canvases(image), [image]);
  const [width, height] = fitted(header, room);

  useLayoutEffect(() => {
    const outer = box.current;
    if (!outer) return;
    const watcher = new ResizeObserver(([entry]) => setRoom(entry?.contentRect.width ?? 0));
    watcher.observe(outer);
    setRoom(outer.clientWidth);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    if (canvas.current && width) paint(canvas.current, drawn, header, picture, active, overlay, width, height);
  }, [drawn, picture, active?.side, active?.at, overlay, width, height]);

  const wordAt = (event: PointerEvent | MouseEvent): Word => {
    const rect = canvas.current!.getBoundingClientRect();
    return { side: "source", at: placeAt(header, (event.clientX - rect.x) / rect.width, (event.clientY - rect.y) / rect.height) };
  };
  const onKey = (event: KeyboardEvent) => {
    const now = active?.side === "source" ? active.at : undefined;
    const moves: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: header.columns, ArrowUp: -header.columns };
    const move = moves[event.key];
    if (move !== undefined) {
      const to = now === undefined ? 0 : now + move;
      if (to >= 0 && to < header.rows * header.columns) onHover({ side: "source", at: to }, true);
    } else if ((event.key === "Enter" || event.key === " ") && active?.side === "source") onPin(pin ? undefined : active);
    else return;
    event.preventDefault();
  };

  return (
    <>
      <div class="tune">
        <label class="field">
          <span>weights over the image</span>
          <input type="range" min="0" max="100" value={Math.round(overlay.amount * 100)} aria-label="how strong the weights lie over the image"
            onInput={(event) => onOverlay({ ...overlay, amount: Number(event.currentTarget.value) / 100 })} />
        </label>
        <label class="check">
          <input type="checkbox" checked={overlay.smooth} onChange={(event) => onOverlay({ ...overlay, smooth: event.currentTarget.checked })} />
          <span>smooth</span>
        </label>
        <p class="hint caption">{caption(picture, header, active)}</p>
      </div>
      <div class="seen" ref={box} onPointerLeave={() => onHover(undefined, false)}>
        <canvas
          ref={canvas}
          class="image"
          tabIndex={0}
          role="application"
          aria-roledescription="image"
          aria-label={`${header.rows} rows and ${header.columns} columns of places. Arrow keys move, Enter pins the place.`}
          style={{ width: `${width}px`, height: `${height}px` }}
          onKeyDown={onKey}
          onPointerMove={(event) => onHover(wordAt(event), false)}
          onBlur={() => onHover(undefined, false)}
          onClick={(event) => {
            const word = wordAt(event);
            onPin(pin && (pin.side === "target" || same(pin, word)) ? undefined : word);
          }}
        />
        <Targets {...{ picture, wordsOf, pin, active, onPin, onHover }} spoken={undefined} />
      </div>
    </>
  );
}

/** What the image shows now, in words. */
function caption(picture: Picture, header: ImageHeader, active: Word | undefined): string {
  if (!active) return "Point at a word to see where it looked, or at the image to see which words looked there.";
  const best = drawnOf(picture.matrix, active, 1)[0];
  const place = (at: number) => `row ${Math.floor(at / header.columns) + 1}, column ${(at % header.columns) + 1}`;
  const weight = best ? shown(best.weight, picture.full.whole) : "";
  if (active.side === "source") return `${place(active.at)}: ${best ? `most for ${picture.target[best.target]}, ${weight}` : "no weight at all"}`;
  const word = picture.target[active.at] ?? "";
  return best ? `${word}: most at ${place(best.source)}, ${weight}` : `${word}: no weight at all`;
}

function fitted(header: ImageHeader, room: number): [width: number, height: number] {
  const [width, height] = header.size;
  const times = Math.min(room / width, HIGHEST / height, LARGEST);
  return [Math.max(Math.round(width * times), 1), Math.max(Math.round(height * times), 1)];
}

interface Drawn {
  readonly colours: HTMLCanvasElement;
  readonly grey: HTMLCanvasElement;
}

/** The image as it is, and without its colours. */
function canvases(image: Image): Drawn | undefined {
  const { header, pixels } = image;
  if (!pixels) return undefined;
  const [width, height, channels] = header.shape;
  const canvas = (value: (at: number, channel: number) => number) => {
    const made = document.createElement("canvas");
    [made.width, made.height] = [width, height];
    const context = made.getContext("2d")!;
    const data = context.createImageData(width, height);
    for (let at = 0; at < width * height; at++) {
      for (let channel = 0; channel < 3; channel++) data.data[4 * at + channel] = value(at, channel);
      data.data[4 * at + 3] = 255;
    }
    context.putImageData(data, 0, 0);
    return made;
  };
  if (channels === 1) {
    const grey = canvas((at) => pixels[at]!);
    return { colours: grey, grey };
  }
  return {
    colours: canvas((at, channel) => pixels[3 * at + channel]!),
    grey: canvas((at) => 0.299 * pixels[3 * at]! + 0.587 * pixels[3 * at + 1]! + 0.114 * pixels[3 * at + 2]!),
  };
}

/** One pixel for each place, the more opaque the heavier. */
function weightsOf(picture: Picture, header: ImageHeader, row: number): HTMLCanvasElement {
  const made = document.createElement("canvas");
  [made.width, made.height] = [header.columns, header.rows];
  const context = made.getContext("2d")!;
  const data = context.createImageData(header.columns, header.rows);
  const begin = row * picture.matrix.columns;
  for (let at = 0; at < header.columns * header.rows; at++) {
    const share = strength(picture.matrix.values[begin + at]!, picture.full.rows[row]!, picture.scale);
    data.data.set([...TINT, Math.round(255 * share)], 4 * at);
  }
  context.putImageData(data, 0, 0);
  return made;
}

function paint(canvas: HTMLCanvasElement, drawn: Drawn | undefined, header: ImageHeader, picture: Picture, active: Word | undefined,
  overlay: Overlay, width: number, height: number): void {
  const ratio = devicePixelRatio || 1;
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = picture.palette.paper;
  context.fillRect(0, 0, width, height);
  const put = (source: HTMLCanvasElement, opacity: number, smooth: boolean) => {
    context.globalAlpha = opacity;
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = smooth && source.width > width ? "high" : "low";
    context.drawImage(source, 0, 0, width, height);
  };
  // A small image keeps its pixels.
  const smooth = width < 3 * header.shape[0];
  if (drawn) put(drawn.colours, 1, smooth);
  if (active?.side === "target") {
    const { amount } = overlay;
    if (drawn) put(drawn.grey, Math.min(2 * amount, 1), smooth);
    context.globalAlpha = 0.55 * amount;
    context.fillRect(0, 0, width, height);
    put(weightsOf(picture, header, active.at), Math.min(0.25 + 0.75 * amount, 1) * Math.min(4 * amount, 1), overlay.smooth);
  }
  context.globalAlpha = 1;
  if (active?.side === "source") frame(context, picture.palette, header, active.at, width, height);
}

function frame(context: CanvasRenderingContext2D, palette: Palette, header: ImageHeader, at: number, width: number, height: number): void {
  const [across, down] = [width / header.columns, height / header.rows];
  const [x, y] = [(at % header.columns) * across, Math.floor(at / header.columns) * down];
  context.lineWidth = 4;
  context.strokeStyle = palette.paper;
  context.strokeRect(x, y, across, down);
  context.lineWidth = 2;
  context.strokeStyle = palette.accent;
  context.strokeRect(x, y, across, down);
}
