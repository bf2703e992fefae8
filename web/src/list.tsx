// The list of all maps of the page, and a filter.

import { useMemo, useRef, useState } from "preact/hooks";
import type { MapHeader } from "./data";
import { direction, plural } from "./text";

const LISTED = 200;

/** The numbers of the maps that have every word of the query somewhere in their texts. */
export function filtered(maps: readonly MapHeader[], query: string): number[] {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const found: number[] = [];
  maps.forEach((map, number) => {
    const text = `${map.source.text}\n${map.target.text}\n${map.place}`.toLocaleLowerCase();
    if (words.every((word) => text.includes(word))) found.push(number);
  });
  return found;
}

export function List({ maps, current, onChoose }: {
  readonly maps: readonly MapHeader[];
  readonly current: number;
  readonly onChoose: (map: number) => void;
}) {
  const [query, setQuery] = useState("");
  const [most, setMost] = useState(LISTED);
  const list = useRef<HTMLUListElement>(null);
  const found = useMemo(() => filtered(maps, query), [maps, query]);
  const places = useMemo(() => new Set(maps.map((map) => map.place)).size > 1, [maps]);
  const stop = found.includes(current) ? current : found[0];

  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    const buttons = [...(list.current?.querySelectorAll("button") ?? [])];
    const at = buttons.findIndex((button) => button === document.activeElement);
    buttons[Math.max(at + (event.key === "ArrowDown" ? 1 : -1), 0)]?.focus();
  };

  return (
    <nav class="list" aria-label="sentences" onKeyDown={onKey}>
      <input
        type="search"
        placeholder="filter"
        aria-label="filter the sentences by words in them"
        value={query}
        onInput={(event) => {
          setQuery(event.currentTarget.value);
          setMost(LISTED);
        }}
      />
      <p class="hint" role="status">
        {query ? `${found.length.toLocaleString("en")} of ${plural(maps.length, "sentence")}` : plural(maps.length, "sentence")}
      </p>
      <ul ref={list}>
        {found.slice(0, most).map((number) => {
          const map = maps[number]!;
          return (
            <li key={number}>
              <button
                type="button"
                aria-current={number === current ? "true" : undefined}
                tabIndex={number === stop ? 0 : -1}
                onClick={() => onChoose(number)}
              >
                <span class="number">{number + 1}{places ? ` · ${map.place}` : ""}</span>
                <span class="text" dir={direction(map.source.text)}>{map.source.text || "∅"}</span>
                <span class="text quiet" dir={direction(map.target.text)}>{map.target.text || "∅"}</span>
              </button>
            </li>
          );
        })}
      </ul>
      {found.length > most && (
        <button type="button" class="plain" onClick={() => setMost(most + LISTED)}>
          {(found.length - most).toLocaleString("en")} more
        </button>
      )}
    </nav>
  );
}
