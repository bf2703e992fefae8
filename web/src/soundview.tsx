// A recording: its wave, its spectrogram and the weights of each word along the same seconds, and a player for it.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { RefObject } from "preact";
import { pixelsOf, type Picture } from "./drawing";
import { same, type Which, type Word } from "./links";
import { clock, heardAt, missing, type Sound } from "./medium";
import { makePlayer, type Player } from "./player";
import { Targets } from "./sentences";
import { SPAN, axisHeight, drawLabels, drawSound, heightOf, rowHeight, type Parts } from "./soundpaint";

interface Props {
  readonly sound: Sound;
  readonly picture: Picture;
  readonly wordsOf: Readonly<Record<Which, readonly number[]>> | undefined;
  readonly pin: Word | undefined;
  readonly active: Word | undefined;
  readonly box: RefObject<HTMLDivElement | null>;
  readonly onPin: (word: Word | undefined) => void;
  readonly onHover: (word: Word | undefined, told: boolean) => void;
}

const LABELS = 92;
/** A recording drawn wider than this would be too large for a browser's canvas. */
const WIDEST = 16_000;

export function SoundView({ sound, picture, wordsOf, pin, active, box, onPin, onHover }: Props) {
  const { header } = sound;
  const scroller = useRef<HTMLDivElement>(null);
  const [plot, labels, needle] = [useRef<HTMLCanvasElement>(null), useRef<HTMLCanvasElement>(null), useRef<HTMLDivElement>(null)];
  const [room, setRoom] = useState(0);
  const [zoom, setZoom] = useState(1);
  const [playing, setPlaying] = useState(false);
  const [spoken, setSpoken] = useState<number>();
  const [at, setAt] = useState(0);
  const player = useRef<Player | undefined>(undefined);
  const rows = picture.matrix.rows;
  const pixels = useMemo(() => pixelsOf(picture), [picture]);
  const times = useMemo(
    () => header.times.length ? picture.target.map((_, row) => header.times[wordsOf ? wordsOf.target[row]! : row] ?? null) : [],
    [header, wordsOf, picture.target]);
  const width = Math.min(Math.max(room - LABELS - 2, 120) * zoom, WIDEST);
  const height = heightOf(rows);

  useLayoutEffect(() => {
    const outer = box.current;
    if (!outer) return;
    const watcher = new ResizeObserver(([entry]) => setRoom(entry?.contentRect.width ?? 0));
    watcher.observe(outer);
    setRoom(outer.clientWidth);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    if (!room || !plot.current || !labels.current) return;
    const parts: Parts = { sound, picture, pixels, times, active, width, height };
    drawSound(plot.current, parts);
    drawLabels(labels.current, parts, LABELS);
  }, [sound, picture, pixels, times, active?.side, active?.at, width, height, room]);

  const moveTo = (seconds: number) => {
    if (needle.current) needle.current.style.transform = `translateX(${(seconds / header.seconds) * width}px)`;
    setAt(Math.floor(seconds * 10) / 10);
    const word = heardAt(times, seconds);
    setSpoken(word);
  };
  const position = useRef(0);
  const seek = (seconds: number) => {
    position.current = Math.min(Math.max(seconds, 0), header.seconds);
    moveTo(position.current);
  };
  useEffect(() => {
    moveTo(position.current);
  }, [width]);
  useEffect(() => () => player.current?.close(), []);
  useEffect(() => {
    if (!playing) return;
    let frame = 0;
    const step = () => {
      const now = player.current?.now();
      if (now !== undefined) {
        seek(now);
        follow(scroller.current, (now / header.seconds) * width);
      }
      frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [playing, width]);

  const play = (from: number, to: number) => {
    if (!sound.samples) return;
    player.current ??= makePlayer(sound.samples, header.rate, (end) => {
      setPlaying(false);
      seek(end);
      setSpoken(undefined);
    });
    player.current.play(from, to);
    setPlaying(true);
  };
  const pause = () => {
    player.current?.stop();
    setPlaying(false);
  };
  const toggle = () => {
    if (playing) return pause();
    play(position.current >= header.seconds - 0.01 ? 0 : position.current, header.seconds);
  };
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && event.target.closest("input[type=search], select, dialog");
      if (event.key === "p" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) toggle();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  });

  /** Pin a word and play its stretch. */
  const choose = (word: Word | undefined) => {
    onPin(word);
    const time = word?.side === "target" ? times[word.at] : undefined;
    if (time) play(time[0], time[1]);
  };
  const under = (event: PointerEvent | MouseEvent): { word: Word | undefined; seconds: number } => {
    const rect = plot.current!.getBoundingClientRect();
    const seconds = ((event.clientX - rect.x) / rect.width) * header.seconds;
    const row = Math.floor((event.clientY - rect.y - SPAN) / rowHeight(rows));
    if (row >= 0) return { word: row < rows ? { side: "target", at: row } : undefined, seconds };
    return { word: { side: "source", at: Math.min(Math.max(Math.floor(seconds / header.step), 0), header.places - 1) }, seconds };
  };

  return (
    <>
      <div class="tune">
        {sound.samples && (
          <>
            <button type="button" class="play" aria-label={playing ? "pause" : "play"} title="play or pause (p)" onClick={toggle}>
              {playing ? "❚❚" : "▶"}
            </button>
            <span class="clock">{clock(at)} / {clock(header.seconds)}</span>
          </>
        )}
        <p class="hint caption">
          {missing(header) || "A click on a word plays it; on the wave, it moves the line."}
        </p>
        <div class="zoom" role="group" aria-label="seconds">
          <button type="button" aria-label="longer seconds" onClick={() => setZoom(Math.min(zoom * 2, 64))}>+</button>
          <button type="button" aria-label="shorter seconds" disabled={zoom === 1} onClick={() => setZoom(Math.max(zoom / 2, 1))}>−</button>
        </div>
      </div>
      <div class="heard" ref={box} onPointerLeave={() => onHover(undefined, false)}>
        <Targets {...{ picture, wordsOf, pin, active, onHover, spoken }} onPin={choose} />
        <div class="lanes">
          <canvas ref={labels} aria-hidden="true" />
          <div class="scroller" ref={scroller}>
            <div class="lane" style={{ width: `${width}px`, height: `${height + axisHeight}px` }}>
              <canvas
                ref={plot}
                class="sound"
                aria-hidden="true"
                onPointerMove={(event) => onHover(under(event).word, false)}
                onClick={(event) => {
                  const { word, seconds } = under(event);
                  if (word?.side === "target") return choose(same(pin, word) ? undefined : word);
                  seek(seconds);
                  if (playing) play(position.current, header.seconds);
                }}
              />
              <div class="needle" ref={needle} />
            </div>
          </div>
        </div>
      </div>
    </>
  );
}

/** Keep the line in sight while it moves. */
function follow(scroller: HTMLElement | null, x: number): void {
  if (!scroller || scroller.scrollWidth <= scroller.clientWidth) return;
  if (x < scroller.scrollLeft || x > scroller.scrollLeft + 0.9 * scroller.clientWidth) scroller.scrollLeft = x - 0.1 * scroller.clientWidth;
}
