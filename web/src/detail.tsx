// One word in numbers: what it looked at, or by what it was looked at.

import { css, mixed } from "./colours";
import type { Picture } from "./drawing";
import { linksOf, type Word } from "./links";
import { strength } from "./matrix";
import { shown } from "./text";

const LISTED = 12;

export function Detail({ picture, word, pinned, onUnpin }: {
  readonly picture: Picture;
  readonly word: Word | undefined;
  readonly pinned: boolean;
  readonly onUnpin: () => void;
}) {
  if (!word) {
    return (
      <section class="card detail" aria-label="one word in numbers">
        <p class="hint">Point at a word, or at a cell, to see its numbers. A click keeps it; another lets it go.</p>
      </section>
    );
  }
  const found = reading(picture, word);
  return (
    <section class="card detail" aria-label="one word in numbers">
      <header>
        <h2>
          <bdi>{found.name}</bdi> <small>{word.side === "target" ? "looked at" : "was looked at by"}</small>
        </h2>
        {pinned && <button type="button" class="plain" title="let it go (Escape)" onClick={onUnpin}>unpin</button>}
      </header>
      {found.rows.length ? (
        <div class="numbers">
          <table aria-label="weights, the heaviest first">
            <tbody>
              {found.rows.map((row) => (
                <tr key={row.at}>
                  <th scope="row"><bdi>{row.label}</bdi></th>
                  <td class="number">{row.text}</td>
                  <td class="bar" aria-hidden="true"><span style={{ width: `${100 * row.share}%`, background: row.colour }} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <p class="hint">no weight at all</p>
      )}
      {found.notes.map((note) => <p class="hint" key={note}>{note}</p>)}
    </section>
  );
}

export interface Reading {
  readonly name: string;
  readonly rows: readonly { at: number; label: string; text: string; share: number; colour: string }[];
  readonly notes: readonly string[];
}

export function reading(picture: Picture, word: Word): Reading {
  const { matrix, full, palette, scale } = picture;
  const target = word.side === "target";
  const links = linksOf(matrix, word);
  const most = links[0]?.weight ?? 0;
  const certain = target ? most : full.whole;
  const others = target ? picture.source : picture.target;
  const rows = links.slice(0, LISTED).map((link) => {
    const at = target ? link.source : link.target;
    return {
      at,
      label: others[at] ?? "",
      text: shown(link.weight, certain),
      share: most ? link.weight / most : 0,
      colour: css(mixed(palette.ramp, Math.max(strength(link.weight, most, scale), 0.25))),
    };
  });
  const rest = links.slice(LISTED).reduce((sum, link) => sum + link.weight, 0);
  const gone = target ? (matrix.leftOut?.[word.at] ?? 0) : 0;
  const total = links.reduce((sum, link) => sum + link.weight, 0);
  const notes = [
    links.length > LISTED ? `${links.length - LISTED} more weigh ${shown(rest, certain)} together` : "",
    gone ? `left out of the map: ${shown(gone, 1)}` : "",
    links.length && !target ? `${shown(total, certain)} in all` : "",
  ].filter(Boolean);
  return { name: (target ? picture.target : picture.source)[word.at] ?? "", rows, notes };
}

/** The same in one sentence, for those who listen. */
export function spoken(picture: Picture, word: Word): string {
  const found = reading(picture, word);
  const verb = word.side === "target" ? "looked at" : "was looked at by";
  if (!found.rows.length) return `${found.name}: no weight at all`;
  return `${found.name} ${verb} ${found.rows.slice(0, 3).map((row) => `${row.label} ${row.text}`).join(", ")}`;
}
