// Both sentences as rows of words, and the lines between the words that belong together.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { RefObject } from "preact";
import { css, inkOn, mixed } from "./colours";
import type { Picture } from "./drawing";
import { curve, drawnOf, overview, same, weightOf, type Box, type Link, type Which, type Word } from "./links";
import { lineStyle, type Line, type Sentences as Placed } from "./picture";
import { strength } from "./matrix";
import { language, type Direction } from "./text";

/** From so many words on a sentence is written small, and scrolls. */
const DENSE = 60;

interface Props {
  readonly picture: Picture;
  /** For each piece the word it belongs to, for the gaps; undefined where every label is a word. */
  readonly wordsOf: Readonly<Record<Which, readonly number[]>> | undefined;
  readonly pin: Word | undefined;
  readonly active: Word | undefined;
  readonly box: RefObject<HTMLDivElement | null>;
  readonly onPin: (word: Word | undefined) => void;
  readonly onHover: (word: Word | undefined, told: boolean) => void;
}

/** Whether there are so many words that they are written small. */
function isDense(picture: Picture): boolean {
  return Math.max(picture.source.length, picture.target.length) > DENSE;
}

/** The links that are drawn: those of the word in question, or of the whole of a short sentence. */
function linksDrawn(picture: Picture, active: Word | undefined): Link[] {
  return active ? drawnOf(picture.matrix, active) : overview(picture.matrix);
}

/** How strong a link looks: beside the heaviest of its word, or the heaviest of all where no word is in question. */
function linkStrength(picture: Picture, heaviest: number, weight: number): number {
  return strength(weight, heaviest, picture.scale);
}

/** The heaviest weight of the links that are drawn. */
function heaviestOf(picture: Picture, active: Word | undefined, links: readonly Link[]): number {
  return active ? (links[0]?.weight ?? 0) : picture.full.whole;
}

/** The colours of a word, by its weight for the word in question; undefined where it is as it always is. */
function chipColours(
  picture: Picture, active: Word | undefined, heaviest: number, word: Word,
): { fill: string; ink: string } | undefined {
  if (!active || active.side === word.side) return undefined;
  const colour = mixed(picture.palette.ramp, linkStrength(picture, heaviest, weightOf(picture.matrix, active, word)));
  return { fill: css(colour), ink: inkOn(colour) };
}

/** Where every word stands, relative to the box around both sentences; one that is scrolled away, at the edge of its row. */
function boxes(box: HTMLElement): Map<string, Box> {
  const origin = box.getBoundingClientRect();
  const found = new Map<string, Box>();
  for (const row of box.querySelectorAll<HTMLElement>(".row")) {
    const edge = row.getBoundingClientRect();
    for (const chip of row.querySelectorAll<HTMLElement>("[data-at]")) {
      const rect = chip.getBoundingClientRect();
      const top = Math.min(Math.max(rect.top, edge.top), edge.bottom);
      const bottom = Math.min(Math.max(rect.bottom, edge.top), edge.bottom);
      found.set(`${chip.dataset.side}${chip.dataset.at}`, {
        x: rect.x - origin.x, y: top - origin.y, width: rect.width, height: bottom - top,
      });
    }
  }
  return found;
}

/** Both sentences as they now stand on the page, to be drawn elsewhere. */
export function placedSentences(box: HTMLElement, picture: Picture, active: Word | undefined): Placed {
  const found = boxes(box);
  const links = linksDrawn(picture, active);
  const size = isDense(picture) ? 12 : 15;
  const heaviest = heaviestOf(picture, active, links);
  const usual = { fill: picture.palette.paper, ink: picture.palette.ink };
  const sides: [Which, readonly string[], Direction][] = [
    ["source", picture.source, picture.sourceDirection],
    ["target", picture.target, picture.targetDirection],
  ];
  const chips = sides.flatMap(([side, labels, direction]) =>
    labels.flatMap((label, at) => {
      const place = found.get(`${side}${at}`);
      if (!place || place.height < 4) return [];
      const word = { side, at };
      const colours = chipColours(picture, active, heaviest, word) ?? usual;
      return [{ ...place, label, lit: same(active, word), rtl: direction === "rtl", size, ...colours }];
    }),
  );
  const origin = box.getBoundingClientRect();
  const canvases = [...box.querySelectorAll("canvas")].map((canvas) => {
    const rect = canvas.getBoundingClientRect();
    return { canvas, x: rect.x - origin.x, y: rect.y - origin.y, width: rect.width, height: rect.height };
  });
  const right = Math.max(0, ...[...chips, ...canvases].map((part) => part.x + part.width));
  return { width: right, height: origin.height, chips, canvases, lines: lines(found, picture, active, links) };
}

function lines(found: Map<string, Box>, picture: Picture, active: Word | undefined, links: readonly Link[]): Line[] {
  const heaviest = heaviestOf(picture, active, links);
  return links.flatMap((link) => {
    const [from, to] = [found.get(`source${link.source}`), found.get(`target${link.target}`)];
    return from && to ? [{ from, to, share: linkStrength(picture, heaviest, link.weight) }] : [];
  });
}

export function Sentences({ picture, wordsOf, pin, active, box, onPin, onHover }: Props) {
  const [drawn, setDrawn] = useState<readonly Line[]>([]);
  const [width, setWidth] = useState(0);
  const links = linksDrawn(picture, active);
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 0));
    if (box.current) watcher.observe(box.current);
    return () => watcher.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (box.current) setDrawn(lines(boxes(box.current), picture, active, links));
  }, [picture, active?.side, active?.at, width, wordsOf]);
  const redraw = () => box.current && setDrawn(lines(boxes(box.current), picture, active, links));
  useEffect(() => {
    if (!active || !box.current) return;
    const best = links[0];
    for (const side of ["source", "target"] as const) {
      const at = active.side === side ? active.at : best?.[side];
      if (at !== undefined) reveal(box.current, side, at);
    }
  }, [active?.side, active?.at]);

  return (
    <div class={`sentences${isDense(picture) ? " dense" : ""}`} ref={box} onPointerLeave={() => onHover(undefined, false)}>
      <svg class="links" aria-hidden="true">
        {drawn.map((line) => {
          const { thickness, opacity } = lineStyle(line.share);
          return <path d={curve(line.from, line.to)} stroke-width={thickness} opacity={active ? opacity : opacity * 0.75} />;
        })}
      </svg>
      {(["source", "target"] as const).map((side) => (
        <Row key={side} {...{ side, picture, wordsOf, pin, active, onPin, onHover }} onScroll={redraw}
          heaviest={heaviestOf(picture, active, links)} />
      ))}
    </div>
  );
}

/** The words of the target alone, over an image or a recording: coloured by what the place that is pointed at weighs. */
export function Targets({ picture, wordsOf, pin, active, spoken, onPin, onHover }: Omit<Props, "box"> & { readonly spoken: number | undefined }) {
  const heaviest = heaviestOf(picture, active, linksDrawn(picture, active));
  return <Row side="target" {...{ picture, wordsOf, pin, active, onPin, onHover, heaviest, spoken }} onScroll={() => undefined} />;
}

/** Scroll a row of words, where it is too long to be seen at once, to one of them; never while the pointer is in it. */
function reveal(box: HTMLElement, side: Which, at: number): void {
  const row = box.querySelector<HTMLElement>(`.row.${side}`);
  const chip = row?.querySelector<HTMLElement>(`[data-at="${at}"]`);
  if (!row || !chip || row.scrollHeight <= row.clientHeight || row.matches(":hover")) return;
  const above = chip.getBoundingClientRect().top - row.getBoundingClientRect().top;
  if (above < 0 || above + chip.clientHeight > row.clientHeight) row.scrollTop += above - row.clientHeight / 2;
}

interface RowProps extends Omit<Props, "box"> {
  readonly side: Which;
  readonly heaviest: number;
  /** The word that is heard now, where a recording plays. */
  readonly spoken?: number | undefined;
  readonly onScroll: () => void;
}

function Row({ side, picture, wordsOf, pin, active, heaviest, spoken, onPin, onHover, onScroll }: RowProps) {
  const row = useRef<HTMLDivElement>(null);
  // The one word of the row that the tab key reaches.
  const [stop, setStop] = useState(0);
  const labels = side === "source" ? picture.source : picture.target;
  const outside = side === "source" ? picture.outsideSource : picture.outsideTarget;
  const rtl = (side === "source" ? picture.sourceDirection : picture.targetDirection) === "rtl";
  const reached = Math.min(stop, labels.length - 1);

  const go = (to: number) => {
    setStop(to);
    row.current?.querySelector<HTMLElement>(`[data-at="${to}"]`)?.focus();
  };
  const onKey = (event: KeyboardEvent, at: number) => {
    const forward = rtl ? "ArrowLeft" : "ArrowRight";
    const back = rtl ? "ArrowRight" : "ArrowLeft";
    const last = labels.length - 1;
    if (event.key === forward) go(Math.min(at + 1, last));
    else if (event.key === back) go(Math.max(at - 1, 0));
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(last);
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") across(event.key === "ArrowDown" ? "target" : "source");
    else return;
    event.preventDefault();
  };
  const across = (to: Which) => {
    if (to === side) return;
    // To the word of the other side that weighs most with this one.
    const best = active ? drawnOf(picture.matrix, active, 1)[0] : undefined;
    const at = best ? best[to] : 0;
    row.current?.parentElement?.querySelector<HTMLElement>(`[data-side="${to}"][data-at="${at}"]`)?.focus();
  };

  return (
    <div class={`row ${side}`} ref={row} dir={rtl ? "rtl" : "ltr"} lang={language(labels.join(""))} role="group" aria-label={`${side} words`} onScroll={onScroll}>
      {labels.map((label, at) => {
        const word = { side, at };
        const pinned = same(pin, word);
        const lit = same(active, word);
        const groups = wordsOf?.[side];
        const joined = groups !== undefined && at > 0 && groups[at] === groups[at - 1];
        const colours = chipColours(picture, active, heaviest, word);
        return (
          <button
            type="button"
            key={at}
            data-side={side}
            data-at={at}
            class={["chip", outside[at] && "outside", joined && "joined", lit && "lit", pinned && "pinned", spoken === at && "spoken"].filter(Boolean).join(" ")}
            style={{ background: colours?.fill ?? "", color: colours?.ink ?? "" }}
            tabIndex={at === reached ? 0 : -1}
            aria-pressed={pinned}
            aria-label={`${label}, ${side} ${at + 1} of ${labels.length}`}
            onClick={() => onPin(pinned ? undefined : word)}
            onKeyDown={(event) => onKey(event, at)}
            onFocus={() => {
              setStop(at);
              onHover(word, true);
            }}
            onBlur={() => onHover(undefined, false)}
            onPointerEnter={() => onHover(word, false)}
          >
            <bdi>{label}</bdi>
          </button>
        );
      })}
    </div>
  );
}
