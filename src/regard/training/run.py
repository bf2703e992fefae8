"""From a file of pairs to a trained model: everything around the loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from regard.configuration import flatten_settings, with_given
from regard.data.corpora import columns_known
from regard.data.splitting import save_tsv
from regard.errors import RegardError
from regard.evaluation import METRICS
from regard.files import is_left_behind, make_folder
from regard.folder import (
    CONFIG,
    DEV,
    STATE,
    WEIGHTS,
    Facts,
    clear_folder,
    load_facts,
    load_settings,
    load_sides,
    prepare_folder,
    save_facts,
    save_settings,
    save_sides,
)
from regard.locking import alone
from regard.model.guided import guide_place
from regard.predictor import Predictor
from regard.settings import Settings
from regard.training import loop
from regard.training.choices import complete, with_stem
from regard.training.corpus import Texts, encode
from regard.training.preparing import (
    Pairs,
    Prepared,
    first_facts,
    gather,
    new_predictor,
    prepare,
    read,
    tell_choices,
    told_shares,
)
from regard.training.processes import launch, on_first, processes, started_outside
from regard.training.progress import Reporter, Silent, told_to
from regard.training.shown import choose_shown
from regard.training.state import State, load_state
from regard.training.transfer import take_weights

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# What may change when a training goes on: how long it lasts, and where it runs.
_CHANGEABLE = tuple(
    f"training.{name}" for name in ("updates", "minutes", "patience", "device", "threads", "validate_every")
)


@dataclass(frozen=True)
class Beginning:
    """What the first process finds and the others are sent: `state` where a training goes on."""

    folder: Path
    prepared: Prepared
    state: State | None
    start: Path | None


def train(
    pairs: Pairs,
    *,
    out: str | Path = "model",
    target: str | Path | None = None,
    dev: Pairs | None = None,
    dev_target: str | Path | None = None,
    guided: str | Path | None = None,
    start_from: str | Path | None = None,
    config: str | Path | None = None,
    stem: nn.Module | None = None,
    restart: bool = False,
    report: Reporter | Literal[False] | None = None,
    **settings: Any,
) -> Predictor:
    """Train a model on pairs, keep it in the folder `out`, and return it ready to predict.

    Where `out` holds a training that was stopped, it goes on from there, with the same result as if it had never
    stopped. `restart` throws that one away.

    Args:
        pairs: a TSV or JSONL file or several, the source file of two parallel ones, a folder of images or recordings
            with texts beside them, or pairs (source, target) themselves, whose sources may be arrays and file objects
            too, or pairs (text, features).
        out: the folder of the model.
        target: the target file of two parallel ones.
        dev: pairs to validate on, as `pairs`; without them some of the pairs are held out.
        dev_target: the target file of two parallel ones to validate on.
        guided: a file of word alignments, line by line beside the pairs, that teach the attention where to look.
        start_from: the folder of a model whose weights are taken to begin with, as far as their names and shapes fit.
            Where no others are given, its settings of the model, of the tokens, and of how images and recordings are
            read, are those of the new one; its characters and symbols are extended by those of the pairs.
        config: a YAML file of settings.
        stem: a torch module that makes features (B, D, h, w) of images (B, C, H, W); it is learned further where its
            parameters require gradients. `regard.load` wants one like it again.
        restart: begin anew in a folder that holds a model already.
        report: what is told of the progress; by default what the command tells, on standard error: a live line on a
            terminal, else plain lines now and then; False: nothing.
        settings: by group, `training={"updates": 1000}`; they override those of `config`.

    Raises RegardError for what can't be read or used, TrainingStopped (a KeyboardInterrupt) when asked to stop.
    """
    given = gather(config, settings, start_from)
    given |= started_outside(given)
    if stem is not None:
        given = with_stem(given, stem)
    folder = Path(out)
    going_on = _look_into(folder, given, restart)
    wanted = going_on or complete(given)

    with ExitStack() as held, told_to(report) as told, processes(wanted.training) as fabric:
        known = folder.exists()

        def hold() -> None:
            """Keep the folder to this process until the end, and see that it is still as it was."""
            if not known:
                make_folder(folder)
                held.enter_context(alone(folder))
            if _look_into(folder, given, restart) != going_on:
                raise RegardError(f"{folder}: another training has been here meanwhile; give the same command again")

        def begin() -> Beginning:
            told.say("reading the pairs")
            if known:
                held.enter_context(alone(folder))
            texts = read(pairs, target, dev, dev_target, given, guided)
            found = _begin(folder, texts, given, going_on, told, hold, start_from)
            return replace(found, start=Path(start_from)) if start_from is not None else found

        return _train(fabric, begin, told if fabric.is_global_zero else Silent(), stem)


def take_part(fabric: Fabric) -> None:
    """Train as one of several processes, with what the first one reads."""

    def begin() -> Beginning:
        raise AssertionError("only the first process begins")

    _train(fabric, begin, Silent())


def _train(
    fabric: Fabric, begin: Callable[[], Beginning], report: Reporter, stem: nn.Module | None = None
) -> Predictor:
    found = on_first(fabric, begin)
    prepared, folder = found.prepared, found.folder
    predictor = new_predictor(prepared, torch.device(fabric.device), stem)
    parameters = sum(parameter.numel() for parameter in predictor.model.parameters())
    number = f", in {fabric.world_size} processes" if fabric.world_size > 1 else ""
    report.say(f"training {parameters:,} parameters on {fabric.device}{number}; the model's folder is {folder}")
    if found.start is not None and found.state is None:
        report.say(take_weights(predictor, found.start))
    training = loop.start(predictor, prepared.corpus, prepared.settings, folder, fabric, report, found.state)
    if training.progress.finished:
        report.say(f"this training is finished ({training.progress.reason}); --restart begins anew")
        return Predictor.load(folder, device=fabric.device.type, stem=stem)
    if found.state is None:
        # Weights without a state would look like a model that can't be trained further, so the state comes first.
        on_first(fabric, lambda: loop.save(training))
    loop.run(training)
    predictor.facts = on_first(fabric, lambda: _write_ends(folder, training, report))
    return predictor


def device_for(out: str | Path, given: Mapping[str, Any]) -> torch.device:
    """See without the pairs whether a training could begin there. Raises RegardError: no folder, no such device."""
    _check_folder(Path(out))
    return torch.device(launch(replace(complete(given).training, devices=1)).device)


# The folder -----------------------------------------------------------------------------------------------------------


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RegardError(f"{folder}: this is a file; give a folder as --out")


def _look_into(folder: Path, given: Mapping[str, Any], restart: bool) -> Settings | None:
    """The settings of the training that goes on, or None for a new one.

    Raises RegardError where the folder holds something else, or a training with other settings.
    """
    _check_folder(folder)
    if not folder.exists():
        return None
    # Somebody's own folder may have a config.yaml too.
    inner = (folder / STATE).parent
    if not (folder / CONFIG).exists() or not (inner.exists() or (folder / WEIGHTS).exists()):
        tokenisers = [Path(str(given.get(f"data.{side}_tokens"))) for side in ("source", "target")]
        try:
            foreign = [
                path for path in folder.iterdir() if path not in (*tokenisers, inner) and not is_left_behind(path)
            ]
        except OSError as error:
            raise RegardError(f"{folder}: can't be read ({error.strerror}); give another --out") from None
        if foreign:
            raise RegardError(f"{folder}: holds other files, and no model; give another --out")
    if restart:
        return None
    if not (folder / STATE).exists():
        if (folder / WEIGHTS).exists():
            raise RegardError(f"{folder}: holds a model, whose training can't go on; give another --out, or --restart")
        return None
    stored = load_settings(folder)
    values = flatten_settings(stored)
    for name, value in given.items():
        if name not in _CHANGEABLE and value is not None and values[name] != value:
            raise RegardError(
                f"{folder}: its training has {name} {values[name]}, and now {value} is given; "
                "give another --out, or --restart"
            )
    changed = {name: given[name] for name in _CHANGEABLE if given.get(name) is not None}
    return with_given(stored, changed)


def _begin(
    folder: Path,
    texts: Texts,
    given: Mapping[str, Any],
    going_on: Settings | None,
    report: Reporter,
    hold: Callable[[], None],
    start_from: str | Path | None,
) -> Beginning:
    """Prepare a new training, or the one that goes on with these settings, and its folder, which `hold` locks."""
    for line in texts.news:
        report.say(line)
    state = None
    cache = (folder / STATE).parent
    if going_on is None:
        if texts.medium == "text":
            prepared = prepare(texts, given, None, report.say, start_from)
            shares = told_shares(prepared)  # before anything is touched, since it may refuse
            hold()
        else:  # what was read of files is kept in the folder
            hold()
            prepared = prepare(texts, given, cache, report.say, start_from)
            shares = told_shares(prepared)
        tell_choices(prepared, report)
        clear_folder(folder)
    else:
        hold()
        corpus = encode(texts, going_on, load_sides(folder, going_on), cache=cache, tell=report.say)
        prepared = Prepared(corpus, going_on, load_facts(folder).chosen)
        state = load_state(folder)
        if state is not None:
            _check_same(folder, state.fingerprint, corpus.fingerprint)
        shares = told_shares(prepared)
    for line in shares:
        report.say(line)
    if str(prepared.corpus.omitted):
        report.say(str(prepared.corpus.omitted))
    if str(prepared.corpus.unmeasured):
        report.say(f"of the pairs for validation: {prepared.corpus.unmeasured}")
    prepare_folder(folder)
    save_settings(folder, prepared.settings)
    save_sides(folder, prepared.corpus.source, prepared.corpus.target)
    if state is None:
        save_facts(folder, first_facts(prepared))
    if texts.held_out:
        # Paths count from the folder of the file that names them.
        dev = texts.dev if texts.medium == "text" else [replace(p, source=os.path.abspath(p.source)) for p in texts.dev]
        save_tsv(dev, folder / DEV, columns_known(prepared.settings.data))
    return Beginning(folder, prepared, state, None)


def _labelled(metric: str) -> str:
    """What a metric is called beside its axis."""
    better = "higher" if METRICS[metric].higher_is_better else "lower"
    return f"{metric} in % ({better} is better)"


def _check_same(folder: Path, before: str, now: str) -> None:
    """Raises RegardError where a training learned from other pairs, or was guided by other links."""
    (pairs_before, _, links_before), (pairs_now, _, links_now) = before.partition("."), now.partition(".")
    if pairs_before != pairs_now:
        raise RegardError(f"{folder}: its training learned from other pairs; give another --out, or --restart")
    if links_before != links_now:
        what = "other links" if links_before and links_now else "links (--guided)" if links_before else "no links"
        raise RegardError(f"{folder}: its training was guided by {what}; give the same, another --out, or --restart")


def _write_ends(folder: Path, training: loop.Training, report: Reporter) -> Facts:
    """The facts of the whole training, and the picture of how it went."""
    progress, settings = training.progress, training.settings.training
    if training.corpus.guidance is None:
        layer, head, reason = choose_shown(training.predictor, training.corpus.dev)
    else:
        layer, head = guide_place(training.settings.model, settings.guided_layer, settings.guided_head)
        reason = "guided by word alignments"
    facts = replace(
        training.predictor.facts,
        update=progress.best_update,
        score=progress.best,
        shown=(layer, head),
        shown_reason=reason,
    )
    save_facts(folder, facts)
    if find_spec("matplotlib") is not None:
        from regard.view.figure import learning_curve

        metrics: dict[str, str] = {} if settings.metric == "loss" else {settings.metric: _labelled(settings.metric)}
        learning_curve(progress.records, folder / "learning-curve.png", metrics)
    loop.finished(training)
    report.say(
        f"{progress.reason}; the best is of update {progress.best_update:,}: {settings.metric} {progress.best:.4f}\n"
        f'try it: regard predict {folder} --show "..."'
    )
    return facts
