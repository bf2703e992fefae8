// What can be chosen: layer, head, pieces or words, the scale and the range of colours.

import type { MapHeader } from "./data";
import type { Choice, Range, Scale, Unit } from "./matrix";
import { hasPieces } from "./text";

export interface Settings {
  readonly choices: readonly Choice[];
  readonly unit: Unit;
  readonly scale: Scale;
  readonly range: Range;
}

export function Controls({ map, settings, onChange }: {
  readonly map: MapHeader;
  readonly settings: Settings;
  readonly onChange: (changed: Partial<Settings>) => void;
}) {
  const choose = (axis: number, choice: Choice) =>
    onChange({ choices: settings.choices.map((before, i) => (i === axis ? choice : before)) });
  return (
    <div class="controls" role="group" aria-label="what is shown">
      {map.axes.map((axis, i) => map.shape[i] !== 1 && (
        <label key={axis} class="field">
          <span>{axis}</span>
          <select
            data-axis={axis}
            value={String(settings.choices[i])}
            onChange={(event) => choose(i, event.currentTarget.value === "mean" ? "mean" : Number(event.currentTarget.value))}
          >
            <option value="mean">mean of {map.shape[i]}</option>
            {Array.from({ length: map.shape[i] ?? 0 }, (_, number) => <option value={String(number)}>{number}</option>)}
          </select>
        </label>
      ))}
      {hasPieces(map) && (
        <Switch name="units" value={settings.unit} onChange={(unit) => onChange({ unit })}
          options={[["word", "words", "w"], ["piece", "pieces", "w"]]} />
      )}
      <Switch name="scale" value={settings.scale} onChange={(scale) => onChange({ scale })}
        options={[["linear", "linear", "s"], ["root", "square root", "s"]]} />
      <Switch name="full colour" value={settings.range} onChange={(range) => onChange({ range })}
        options={[["row", "each row", "r"], ["whole", "whole matrix", "r"]]} />
    </div>
  );
}

interface SwitchProps<T extends string> {
  readonly name: string;
  readonly value: T;
  readonly options: readonly (readonly [value: T, label: string, key: string])[];
  readonly onChange: (value: T) => void;
}

/** One of a few, side by side: radio buttons, so that arrow keys and screen readers know what to do. */
function Switch<T extends string>({ name, value, options, onChange }: SwitchProps<T>) {
  return (
    <fieldset class="field">
      <legend>{name}</legend>
      <div class="switch">
        {options.map(([option, label, key]) => (
          <label key={option} title={`switch with ${key}`}>
            <input type="radio" name={name} value={option} checked={option === value} onChange={() => onChange(option)} />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
