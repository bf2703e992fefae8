// The colours of weights and of words, in light and dark.

export type Theme = "light" | "dark";
type Rgb = readonly [number, number, number];

export interface Palette {
  readonly paper: string;
  readonly ink: string;
  readonly quiet: string;
  readonly line: string;
  readonly accent: string;
  /** From no weight to the heaviest, each step visibly further from the paper. */
  readonly ramp: readonly Rgb[];
}

export const PALETTES: Readonly<Record<Theme, Palette>> = {
  light: {
    paper: "#ffffff",
    ink: "#1d2430",
    quiet: "#667080",
    line: "#e3e6ea",
    accent: "#b8480f",
    ramp: [[246, 247, 249], [214, 227, 238], [150, 189, 217], [76, 138, 182], [27, 88, 138], [12, 44, 82]],
  },
  dark: {
    paper: "#171a20",
    ink: "#e8eaee",
    quiet: "#97a0ae",
    line: "#2c313a",
    accent: "#ffa55c",
    ramp: [[30, 34, 41], [29, 52, 72], [30, 88, 117], [52, 138, 160], [122, 196, 194], [232, 248, 226]],
  },
};

export function mixed(ramp: readonly Rgb[], strength: number): Rgb {
  const place = Math.min(Math.max(strength, 0), 1) * (ramp.length - 1);
  const lower = Math.min(Math.floor(place), ramp.length - 2);
  const [a, b] = [ramp[lower]!, ramp[lower + 1]!];
  const part = (i: 0 | 1 | 2) => Math.round(a[i] + (b[i] - a[i]) * (place - lower));
  return [part(0), part(1), part(2)];
}

export function css([red, green, blue]: Rgb): string {
  return `rgb(${red},${green},${blue})`;
}

/** Black or white, whichever is easier to read on a colour (by relative luminance, WCAG 2). */
export function inkOn(colour: Rgb): string {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (luminance + 0.05) ** 2 > 1.05 * 0.05 ? "#000000" : "#ffffff";
}

/** The 256 colours of a ramp as one little-endian number for each pixel. */
export function table(ramp: readonly Rgb[]): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, step) => {
    const [red, green, blue] = mixed(ramp, step / 255);
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
}
