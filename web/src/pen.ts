// One way to draw on two kinds of paper: a canvas, and the text of an SVG file.

export type Align = "start" | "center" | "end";

export interface TextStyle {
  readonly size: number;
  readonly colour: string;
  readonly align?: Align;
  readonly bold?: boolean;
  /** Degrees, clockwise, around the point. */
  readonly turn?: number;
  readonly rtl?: boolean;
}

export interface Pen {
  rect(x: number, y: number, width: number, height: number, fill: string, radius?: number): void;
  frame(x: number, y: number, width: number, height: number, stroke: string, thickness: number, radius?: number): void;
  /** A line or curve in SVG's path notation. */
  path(d: string, stroke: string, thickness: number, opacity?: number): void;
  /** A text whose middle line is at y. */
  text(text: string, x: number, y: number, style: TextStyle): void;
  /** A picture of one pixel for each weight, stretched without smoothing. */
  pixels(source: HTMLCanvasElement, x: number, y: number, width: number, height: number): void;
}

export const FONT =
  'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif';

export function canvasPen(context: CanvasRenderingContext2D): Pen {
  return {
    rect(x, y, width, height, fill, radius = 0) {
      context.fillStyle = fill;
      if (radius) {
        context.beginPath();
        context.roundRect(x, y, width, height, radius);
        context.fill();
      } else context.fillRect(x, y, width, height);
    },
    frame(x, y, width, height, stroke, thickness, radius = 0) {
      context.strokeStyle = stroke;
      context.lineWidth = thickness;
      context.beginPath();
      context.roundRect(x, y, width, height, radius);
      context.stroke();
    },
    path(d, stroke, thickness, opacity = 1) {
      context.save();
      context.globalAlpha = opacity;
      context.strokeStyle = stroke;
      context.lineWidth = thickness;
      context.lineCap = "round";
      context.stroke(new Path2D(d));
      context.restore();
    },
    text(text, x, y, style) {
      context.save();
      context.translate(x, y);
      if (style.turn) context.rotate((style.turn * Math.PI) / 180);
      context.font = `${style.bold ? "600 " : ""}${style.size}px ${FONT}`;
      context.fillStyle = style.colour;
      context.direction = style.rtl ? "rtl" : "ltr";
      // Left and right are those of the paper, whatever the direction of the text.
      context.textAlign = ({ start: "left", center: "center", end: "right" } as const)[style.align ?? "start"];
      context.textBaseline = "middle";
      context.fillText(text, 0, 0);
      context.restore();
    },
    pixels(source, x, y, width, height) {
      context.imageSmoothingEnabled = false;
      context.drawImage(source, x, y, width, height);
    },
  };
}

/** A pen that writes SVG, and what it has written. */
export function svgPen(width: number, height: number, paper: string): { pen: Pen; file: () => string } {
  const parts: string[] = [];
  const n = (value: number) => String(Math.round(value * 100) / 100);
  const pen: Pen = {
    rect(x, y, w, h, fill, radius = 0) {
      parts.push(`<rect x="${n(x)}" y="${n(y)}" width="${n(w)}" height="${n(h)}"${radius ? ` rx="${n(radius)}"` : ""} fill="${xml(fill)}"/>`);
    },
    frame(x, y, w, h, stroke, thickness, radius = 0) {
      parts.push(
        `<rect x="${n(x)}" y="${n(y)}" width="${n(w)}" height="${n(h)}"${radius ? ` rx="${n(radius)}"` : ""} fill="none" stroke="${xml(stroke)}" stroke-width="${n(thickness)}"/>`,
      );
    },
    path(d, stroke, thickness, opacity = 1) {
      parts.push(
        `<path d="${xml(d)}" fill="none" stroke="${xml(stroke)}" stroke-width="${n(thickness)}" stroke-linecap="round" opacity="${n(opacity)}"/>`,
      );
    },
    text(text, x, y, style) {
      const turn = style.turn ? ` transform="rotate(${n(style.turn)} ${n(x)} ${n(y)})"` : "";
      // In a text from right to left the start is on the right; alignment here is that of the paper.
      const left = style.rtl ? "end" : "start";
      const anchor = { start: left, center: "middle", end: left === "start" ? "end" : "start" }[style.align ?? "start"];
      parts.push(
        `<text x="${n(x)}" y="${n(y)}" font-size="${n(style.size)}" fill="${xml(style.colour)}" text-anchor="${anchor}" dominant-baseline="central"${
          style.bold ? ' font-weight="600"' : ""
        }${style.rtl ? ' direction="rtl"' : ""}${turn}>${xml(text)}</text>`,
      );
    },
    pixels(source, x, y, w, h) {
      parts.push(
        `<image x="${n(x)}" y="${n(y)}" width="${n(w)}" height="${n(h)}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${source.toDataURL()}"/>`,
      );
    },
  };
  const file = () =>
    `<svg xmlns="http://www.w3.org/2000/svg" width="${n(width)}" height="${n(height)}" viewBox="0 0 ${n(width)} ${n(height)}" font-family="${xml(FONT)}">\n` +
    `<rect width="100%" height="100%" fill="${xml(paper)}"/>\n${parts.join("\n")}\n</svg>\n`;
  return { pen, file };
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text as it may stand in XML: characters that XML has no place for become U+FFFD. */
export function xml(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
}
