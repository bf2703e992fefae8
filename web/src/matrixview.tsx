// The matrix on the page: scrolled under its labels, pointed at with the mouse or with the arrow keys.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { cellAt, draw, fitting, labelAt, layout, pixelsOf, placed, type Cell, type Layout, type Picture, type Window } from "./drawing";
import { same, type Word } from "./links";
import { canvasPen } from "./pen";
import { shown } from "./text";

interface Props {
  readonly picture: Picture;
  readonly pin: Word | undefined;
  readonly cell: Cell | undefined;
  readonly zoom: number | undefined;
  readonly onCell: (cell: Cell | undefined, told: boolean) => void;
  readonly onPin: (word: Word | undefined) => void;
  readonly onZoom: (cell: number | undefined) => void;
  /** What stands under the matrix. */
  readonly children: ComponentChildren;
}

const STEP = 1.25;

export function cellText(picture: Picture, { row, column }: Cell): string {
  const weight = picture.matrix.values[row * picture.matrix.columns + column] ?? 0;
  return `${picture.target[row]} from ${picture.source[column]}: ${shown(weight, picture.full.rows[row] || picture.full.whole)}`;
}

export function MatrixView({ picture, pin, cell, zoom, onCell, onPin, onZoom, children }: Props) {
  const outer = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [scrolled, setScrolled] = useState({ x: 0, y: 0 });
  const pixels = useMemo(() => {
    let made: HTMLCanvasElement | undefined;
    return () => (made ??= pixelsOf(picture));
  }, [picture]);
  const fit = useMemo(() => fitting(picture, size.width), [picture, size.width]);
  const made = useMemo(() => layout(picture, zoom ?? fit), [picture, zoom, fit]);
  const window: Window = { ...scrolled, width: Math.min(size.width, made.width), height: Math.min(size.height, made.height) };

  useLayoutEffect(() => {
    const scroller = outer.current;
    if (!scroller) return;
    const measure = () => setSize({ width: scroller.clientWidth, height: scroller.clientHeight });
    const watcher = new ResizeObserver(measure);
    watcher.observe(scroller);
    measure();
    return () => watcher.disconnect();
  }, []);

  useEffect(() => paint(canvas.current, picture, made, window, { cell, pin }, pixels),
    [picture, made, window.x, window.y, window.width, window.height, cell?.row, cell?.column, pin?.side, pin?.at, pixels]);

  const at = (event: PointerEvent | MouseEvent): { cell: Cell | undefined; word: Word | undefined } => {
    const box = canvas.current!.getBoundingClientRect();
    const [x, y] = [event.clientX - box.x, event.clientY - box.y];
    const word = labelAt(picture, made, x, y, window);
    const inside = x >= made.left && y >= made.top;
    return { word, cell: inside ? cellAt(picture, made, x + scrolled.x, y + scrolled.y) : undefined };
  };

  const onKey = (event: KeyboardEvent) => {
    const { rows, columns } = picture.matrix;
    if (!rows || !columns) return;
    const now = cell ?? { row: 0, column: 0 };
    const right = picture.sourceDirection === "rtl" ? -1 : 1;
    const moves: Record<string, Cell> = {
      ArrowRight: { row: now.row, column: now.column + right },
      ArrowLeft: { row: now.row, column: now.column - right },
      ArrowDown: { row: now.row + 1, column: now.column },
      ArrowUp: { row: now.row - 1, column: now.column },
      Home: { row: now.row, column: 0 },
      End: { row: now.row, column: columns - 1 },
      PageUp: { row: 0, column: now.column },
      PageDown: { row: rows - 1, column: now.column },
    };
    const move = moves[event.key];
    if (move) {
      const to = cell
        ? { row: clamp(move.row, rows - 1), column: clamp(move.column, columns - 1) }
        : now;
      onCell(to, true);
      reveal(outer.current!, picture, made, to);
    } else if ((event.key === "Enter" || event.key === " ") && cell) {
      const word: Word = { side: "target", at: cell.row };
      onPin(same(pin, word) ? undefined : word);
    } else if (event.key === "+" || event.key === "=") onZoom(zoomed(made.cell * STEP));
    else if (event.key === "-") onZoom(zoomed(made.cell / STEP));
    else if (event.key === "0") onZoom(undefined);
    else return;
    event.preventDefault();
  };

  return (
    <div class="matrix">
      <div
        class="scroller"
        ref={outer}
        onScroll={() => setScrolled({ x: outer.current!.scrollLeft, y: outer.current!.scrollTop })}
      >
        <div class="spacer" style={{ width: `${made.width}px`, height: `${made.height}px` }}>
          <canvas
            ref={canvas}
            data-layout={JSON.stringify({ cell: made.cell, left: made.left, top: made.top })}
            tabIndex={0}
            role="application"
            aria-roledescription="attention matrix"
            aria-label={`${picture.target.length} target rows, ${picture.source.length} source columns. Arrow keys move, Enter pins the row.`}
            onKeyDown={onKey}
            onPointerMove={(event) => onCell(at(event).cell, false)}
            onPointerLeave={() => onCell(undefined, false)}
            onBlur={() => onCell(undefined, false)}
            onClick={(event) => {
              const found = at(event);
              const word: Word | undefined = found.word ?? (found.cell && { side: "target", at: found.cell.row });
              onPin(same(pin, word) ? undefined : word);
            }}
          />
        </div>
      </div>
      {cell && <Tip picture={picture} made={made} window={window} cell={cell} />}
      <div class="foot">
        {children}
        <div class="zoom" role="group" aria-label="size of the matrix">
          <button type="button" title="smaller (−)" aria-label="smaller" onClick={() => onZoom(zoomed(made.cell / STEP))}>−</button>
          <button type="button" title="fit the page (0)" aria-pressed={zoom === undefined} onClick={() => onZoom(undefined)}>fit</button>
          <button type="button" title="larger (+)" aria-label="larger" onClick={() => onZoom(zoomed(made.cell * STEP))}>+</button>
        </div>
      </div>
    </div>
  );
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, 0), most);
}

function zoomed(cell: number): number {
  return Math.min(Math.max(cell, 2), 64);
}

function paint(canvas: HTMLCanvasElement | null, picture: Picture, made: Layout, window: Window,
  marks: { cell: Cell | undefined; pin: Word | undefined }, pixels: () => HTMLCanvasElement): void {
  const context = canvas?.getContext("2d");
  if (!canvas || !context || !window.width) return;
  const ratio = devicePixelRatio || 1;
  const [width, height] = [Math.round(window.width * ratio), Math.round(window.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
    canvas.style.width = `${window.width}px`;
    canvas.style.height = `${window.height}px`;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = picture.palette.paper;
  context.fillRect(0, 0, window.width, window.height);
  draw(canvasPen(context), picture, made, window, marks, pixels);
}

/** Scroll as little as brings a cell into sight. */
function reveal(scroller: HTMLElement, picture: Picture, made: Layout, cell: Cell): void {
  const x = placed(picture, cell.column) * made.cell;
  const y = cell.row * made.cell;
  const [width, height] = [scroller.clientWidth - made.left, scroller.clientHeight - made.top];
  if (x < scroller.scrollLeft) scroller.scrollLeft = x;
  if (x + made.cell > scroller.scrollLeft + width) scroller.scrollLeft = x + made.cell - width;
  if (y < scroller.scrollTop) scroller.scrollTop = y;
  if (y + made.cell > scroller.scrollTop + height) scroller.scrollTop = y + made.cell - height;
}

function Tip({ picture, made, window, cell }: { picture: Picture; made: Layout; window: Window; cell: Cell }) {
  const x = made.left + (placed(picture, cell.column) + 1) * made.cell - window.x;
  const y = made.top + (cell.row + 1) * made.cell - window.y;
  const weight = picture.matrix.values[cell.row * picture.matrix.columns + cell.column] ?? 0;
  // On the other side of the cell where there is no room on the right.
  const left = x > window.width * 0.6;
  const style = left ? { right: `calc(100% - ${x - made.cell - 6}px)`, top: `${y + 6}px` } : { left: `${x + 6}px`, top: `${y + 6}px` };
  return (
    <div class="tip" style={style} aria-hidden="true">
      <b>{shown(weight, picture.full.rows[cell.row] || picture.full.whole)}</b> <bdi>{picture.target[cell.row]}</bdi> ← <bdi>{picture.source[cell.column]}</bdi>
    </div>
  );
}
