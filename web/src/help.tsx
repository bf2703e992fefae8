// The keys of the page.

import { useEffect, useRef } from "preact/hooks";

const KEYS: readonly (readonly [keys: string, meaning: string])[] = [
  ["Tab", "to the next part: sentences, matrix, heads, list"],
  ["← →", "along the words of a sentence, or the cells of the matrix"],
  ["↑ ↓", "between the sentences, to the word that weighs most; or along the rows"],
  ["Home End", "to the first, the last"],
  ["Enter", "pin the word, or the row; again lets it go"],
  ["Escape", "let it go"],
  ["l L", "next, previous layer"],
  ["h H", "next, previous head"],
  ["w", "words or pieces"],
  ["s", "linear or square root"],
  ["r", "full colour: each row or the whole matrix"],
  ["d", "dark or light"],
  ["[ ]", "previous, next sentence"],
  ["p", "play the recording, or pause"],
  ["+ − 0", "in the matrix: larger, smaller, fit"],
];

export function Help({ keys, onKeys, onClose }: {
  readonly keys: boolean;
  readonly onKeys: (keys: boolean) => void;
  readonly onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={onClose} aria-label="keys">
      <h2>Keys</h2>
      <dl>
        {KEYS.map(([name, meaning]) => (
          <div key={name}>
            <dt>{name.split(" ").map((key) => <kbd key={key}>{key}</kbd>)}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input type="checkbox" checked={keys} onChange={(event) => onKeys(event.currentTarget.checked)} />
        <span>letters are short cuts</span>
      </label>
      <form method="dialog"><button class="plain">close</button></form>
    </dialog>
  );
}
