// The whole page: what is shown is one value, everything else follows from it.

import { useEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { PALETTES, css, mixed, type Theme } from "./colours";
import { Controls, type Settings } from "./controls";
import type { Header, MapHeader, Weights } from "./data";
import { Detail, spoken } from "./detail";
import { LARGEST, fitting, layout, type Cell, type Picture } from "./drawing";
import { Heads } from "./heads";
import { Help } from "./help";
import { ImageView, type Overlay } from "./imageview";
import { same, type Word } from "./links";
import { List } from "./list";
import { averaged, chosen, converted, full, inUnit, labels, outside, strength, wordOf, type Choice, type Unit } from "./matrix";
import { MatrixView, cellText } from "./matrixview";
import { isImage, type Medium } from "./medium";
import { download, toPng, toSvg, type Shown } from "./picture";
import { Sentences, placedSentences } from "./sentences";
import { SoundView } from "./soundview";
import { direction, hasPieces, plural, shown, statement } from "./text";

interface View extends Settings {
  readonly map: number;
  readonly pin: Word | undefined;
  readonly hover: Word | undefined;
  readonly cell: Cell | undefined;
  readonly zoom: number | undefined;
  readonly theme: Theme;
  readonly overlay: Overlay;
  /** What a screen reader is told. */
  readonly told: string;
  /** Whether single keys are short cuts. */
  readonly keys: boolean;
}

interface Props {
  readonly header: Header;
  /** The weights of a map; the same promise when asked again soon. */
  readonly load: (map: number) => Promise<Unpacked>;
}

/** What the blocks of a map hold. */
export interface Unpacked {
  readonly weights: Weights;
  readonly medium: Medium | undefined;
}

interface Loaded extends Unpacked {
  readonly map: number;
}

const DARK = matchMedia("(prefers-color-scheme: dark)");

export function App({ header, load }: Props) {
  const [view, change] = useReducer((before: View, changed: Partial<View>): View => ({ ...before, ...changed }), undefined,
    () => opening(header));
  const [loaded, setLoaded] = useState<Loaded>();
  const [failed, setFailed] = useState("");
  const [help, setHelp] = useState(false);

  useEffect(() => {
    let wanted = true;
    load(view.map).then(
      (unpacked) => wanted && setLoaded({ map: view.map, ...unpacked }),
      (error: unknown) => wanted && setFailed(String(error instanceof Error ? error.message : error)),
    );
    return () => { wanted = false; };
  }, [view.map]);
  useEffect(() => { document.documentElement.dataset.theme = view.theme; }, [view.theme]);
  useEffect(() => {
    const follow = () => change({ theme: DARK.matches ? "dark" : "light" });
    DARK.addEventListener("change", follow);
    return () => DARK.removeEventListener("change", follow);
  }, []);

  const go = (map: number) => {
    if (map < 0 || map >= header.maps.length || map === view.map) return;
    const told = `sentence ${map + 1}: ${header.maps[map]!.source.text}`;
    change({ map, pin: undefined, hover: undefined, cell: undefined, choices: kept(view, header, map), told });
  };
  const toggle = (unit: Unit) => {
    const map = header.maps[view.map]!;
    const pin = view.pin && { ...view.pin, at: converted(map[view.pin.side], view.pin.at, unit) };
    change({ unit, pin, hover: undefined, cell: undefined });
    // The focus goes with the word, which has another number now.
    const { side, at } = (document.activeElement as HTMLElement | null)?.dataset ?? {};
    if (side !== "source" && side !== "target") return;
    const next = converted(map[side], Number(at), unit);
    requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-side="${side}"][data-at="${next}"]`)?.focus());
  };
  useShortcuts(view, header, { change, go, toggle, help: () => setHelp(true) });

  const map = header.maps[view.map];
  return (
    <div class={`page${header.maps.length > 1 ? " many" : ""}`}>
      <header class="top">
        <h1>{header.title}</h1>
        {map && <p class="hint">{summary(header, map)}</p>}
        <div class="tools">
          <button type="button" class="plain" aria-pressed={view.theme === "dark"} title="light or dark (d)"
            onClick={() => change({ theme: view.theme === "dark" ? "light" : "dark" })}>
            {view.theme === "dark" ? "light" : "dark"}
          </button>
          <button type="button" class="plain" title="keys (?)" onClick={() => setHelp(true)}>keys</button>
        </div>
      </header>
      {header.maps.length > 1 && <List maps={header.maps} current={view.map} onChoose={go} />}
      <main>
        {failed && <p class="card" role="alert">The weights can't be read: {failed}</p>}
        {!map && <p class="card">There is no attention map on this page.</p>}
        {map && !failed && (loaded?.map === view.map
          ? <Body key={view.map} {...{ map, view, change, toggle }} weights={loaded.weights} medium={loaded.medium} />
          : <p class="card hint" role="status">unpacking…</p>)}
      </main>
      <div class="hidden" role="status" aria-live="polite">{view.told}</div>
      {help && <Help keys={view.keys} onKeys={(keys) => change({ keys })} onClose={() => setHelp(false)} />}
    </div>
  );
}

interface BodyProps {
  readonly map: MapHeader;
  readonly weights: Weights;
  readonly medium: Medium | undefined;
  readonly view: View;
  readonly change: (changed: Partial<View>) => void;
  readonly toggle: (unit: Unit) => void;
}

function Body({ map, weights, medium, view, change, toggle }: BodyProps) {
  const box = useRef<HTMLDivElement>(null);
  const single = useMemo(() => averaged(weights, chosen(map.shape.slice(0, -2), view.choices)), [weights, view.choices]);
  const picture = useMemo(() => pictured(map, inUnit(single, map, view.unit), view), [single, view.unit, view.scale, view.range, view.theme]);
  const wordsOf = useMemo(
    () => (view.unit === "piece" ? { source: wordOf(map.source), target: wordOf(map.target) } : undefined), [map, view.unit]);
  // A small matrix leaves its room to the numbers beside it.
  const natural = useMemo(() => Math.max(layout(picture, view.zoom ?? LARGEST).width + 36, 400), [picture, view.zoom]);
  const { cell } = view;
  const hovered: Word | undefined = view.hover ?? (cell && { side: "target", at: cell.row });
  const active = view.pin ?? hovered;
  const said = statement(map, view.choices, full(picture.matrix, view.range), view.scale, view.range, view.unit);
  const pin = (word: Word | undefined) => change({ pin: word, told: word ? `pinned: ${spoken(picture, word)}` : "unpinned" });

  const hover = (word: Word | undefined, told: boolean) =>
    change({ hover: word, ...(told && word ? { told: spoken(picture, word) } : {}) });

  const save = async (kind: "png" | "svg") => {
    const now: Shown = {
      picture, pin: view.pin, range: view.range, statement: said, cell: Math.max(view.zoom ?? fitting(picture, 1200), 3),
      sentences: placedSentences(box.current!, picture, view.pin),
    };
    const blob = kind === "png" ? await toPng(now) : new Blob([toSvg(now)], { type: "image/svg+xml" });
    download(blob, `attention-${view.map + 1}.${kind}`);
  };
  useEffect(() => {
    // After the next frame everything is on the screen.
    requestAnimationFrame(() => setTimeout(() => {
      performance.mark("regard-shown");
      document.documentElement.dataset.shown = String(view.map);
    }));
  }, [map]);

  return (
    <>
      <Controls map={map} settings={view} onChange={(changed) => (changed.unit ? toggle(changed.unit) : change(changed))} />
      <p class="statement">{said.join(" ")}</p>
      {!medium ? (
        <section class="card" aria-label="the two sentences">
          <Sentences {...{ picture, wordsOf, active, box }} pin={view.pin} onPin={pin} onHover={hover} />
        </section>
      ) : isImage(medium) ? (
        <section class="card" aria-label="the image and the words">
          <ImageView image={medium} {...{ picture, wordsOf, active, box }} pin={view.pin} onPin={pin} onHover={hover}
            overlay={view.overlay} onOverlay={(overlay) => change({ overlay })} />
        </section>
      ) : (
        <section class="card" aria-label="the recording and the words">
          <SoundView sound={medium} {...{ picture, wordsOf, active, box }} pin={view.pin} onPin={pin} onHover={hover} />
        </section>
      )}
      <div class="columns" style={{ "--natural": `${Math.ceil(natural)}px` }}>
        <section class="card" aria-label="the matrix">
          <header>
            <h2>Matrix <small>target words down, {medium ? "places" : "source words"} across{picture.sourceDirection === "rtl" ? ", from the right" : ""}</small></h2>
            <div class="tools">
              <button type="button" class="plain" onClick={() => void save("png")}>save PNG</button>
              <button type="button" class="plain" onClick={() => void save("svg")}>save SVG</button>
            </div>
          </header>
          <MatrixView {...{ picture, cell }} pin={view.pin} zoom={view.zoom} onPin={pin}
            onCell={(to, told) => change({ cell: to, ...(told && to ? { told: cellText(picture, to) } : {}) })}
            onZoom={(zoom) => change({ zoom })}>
            <ScaleBar picture={picture} range={view.range} />
          </MatrixView>
        </section>
        <aside>
          <Detail picture={picture} word={active} pinned={same(active, view.pin) && !!view.pin} onUnpin={() => pin(undefined)} />
          {weights.matrices > 1 && map.axes.length <= 2 && (
            <Heads map={map} weights={weights} palette={picture.palette} mirrored={picture.sourceDirection === "rtl"}
              choices={view.choices} onChoose={(choices) => change({ choices })} />
          )}
        </aside>
      </div>
    </>
  );
}

function ScaleBar({ picture, range }: { readonly picture: Picture; readonly range: Settings["range"] }) {
  const stops = Array.from({ length: 9 }, (_, step) => css(mixed(picture.palette.ramp, strength(step / 8, 1, picture.scale))));
  return (
    <span class="scale">
      <span>0</span>
      <span class="bar" style={{ background: `linear-gradient(to right, ${stops.join(",")})` }} />
      <span>{range === "row" ? "the largest weight of the row" : shown(picture.full.whole, picture.full.whole)}</span>
    </span>
  );
}

function pictured(map: MapHeader, matrix: Picture["matrix"], view: View): Picture {
  return {
    matrix,
    full: full(matrix, view.range),
    scale: view.scale,
    palette: PALETTES[view.theme],
    source: labels(map.source, view.unit),
    target: labels(map.target, view.unit),
    outsideSource: outside(map.source, view.unit),
    outsideTarget: outside(map.target, view.unit),
    sourceDirection: direction(map.source.text),
    targetDirection: direction(map.target.text),
  };
}

function summary(header: Header, map: MapHeader): string {
  const sentences = header.maps.length > 1 ? `${plural(header.maps.length, "sentence")}; ` : "";
  const sizes = map.axes.map((axis, i) => plural(map.shape[i] ?? 0, axis));
  const [rows, columns] = map.shape.slice(-2);
  const { medium } = map;
  const by = !medium ? `${rows} target by ${columns} source pieces`
    : medium.kind === "image" ? `${rows} target pieces by ${medium.rows} x ${medium.columns} places of ${medium.size.join(" x ")} pixels`
      : `${rows} target pieces by ${plural(medium.places, "place")} of ${Number(medium.step.toPrecision(3))} s`;
  return `${sentences}${[...sizes, by].join(", ")}`;
}

function opening(header: Header): View {
  const map = header.maps[0];
  return {
    map: 0,
    choices: map ? means(map) : [],
    unit: header.unit,
    scale: "linear",
    // Over an image each word has a scale of its own, since one may look at a point and another at half of it.
    range: map?.medium?.kind === "image" ? "row" : "whole",
    overlay: { amount: 0.8, smooth: true },
    pin: undefined,
    hover: undefined,
    cell: undefined,
    zoom: undefined,
    theme: DARK.matches ? "dark" : "light",
    told: "",
    keys: true,
  };
}

function means(map: MapHeader): Choice[] {
  return map.axes.map((_, axis) => (map.shape[axis] === 1 ? 0 : "mean"));
}

/** The same layer and head in another map, where it has them. */
function kept(view: View, header: Header, to: number): readonly Choice[] {
  const [before, after] = [header.maps[view.map]!, header.maps[to]!];
  const alike = before.axes.join() === after.axes.join() && before.axes.every((_, axis) => before.shape[axis] === after.shape[axis]);
  return alike ? view.choices : means(after);
}

interface Doing {
  readonly change: (changed: Partial<View>) => void;
  readonly go: (map: number) => void;
  readonly toggle: (unit: Unit) => void;
  readonly help: () => void;
}

function useShortcuts(view: View, header: Header, { change, go, toggle, help }: Doing): void {
  const latest = useRef<(event: KeyboardEvent) => void>(() => undefined);
  latest.current = (event) => {
    const map = header.maps[view.map];
    const typing = event.target instanceof HTMLElement && event.target.closest("input[type=search], select, dialog");
    if (!map || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return change({ pin: undefined, cell: undefined, told: view.pin ? "unpinned" : "" });
    if (!view.keys) return;
    const turned = (name: string, step: number) => {
      const axis = map.axes.indexOf(name);
      if (axis < 0) return;
      const size = map.shape[axis] ?? 1;
      const now = view.choices[axis] ?? "mean";
      const to = ((now === "mean" ? size : now) + step + size + 1) % (size + 1);
      const choice: Choice = to === size ? "mean" : to;
      change({ choices: view.choices.map((before, i) => (i === axis ? choice : before)), told: `${name} ${choice}` });
    };
    const actions: Record<string, () => void> = {
      l: () => turned("layer", 1),
      L: () => turned("layer", -1),
      h: () => turned("head", 1),
      H: () => turned("head", -1),
      s: () => change({ scale: view.scale === "root" ? "linear" : "root" }),
      r: () => change({ range: view.range === "row" ? "whole" : "row" }),
      w: () => hasPieces(map) && toggle(view.unit === "word" ? "piece" : "word"),
      d: () => change({ theme: view.theme === "dark" ? "light" : "dark" }),
      "[": () => go(view.map - 1),
      "]": () => go(view.map + 1),
      "?": help,
    };
    actions[event.key]?.();
  };
  useEffect(() => {
    const listen = (event: KeyboardEvent) => latest.current(event);
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
}
