"""Corpora: the pairs of a file, of two parallel ones, or of a folder of images or recordings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from regard.data import headers
from regard.data.columns import NO_FEATURES, Known
from regard.data.features import MARK
from regard.data.media import ENDINGS, medium_of
from regard.data.reading import Pair, listed_pairs, read_pairs, read_parallel, stream_pairs, stream_parallel
from regard.data.report import ReadReport
from regard.data.rows import Asked
from regard.errors import RegardError
from regard.settings import DataSettings, Medium

TEXT_ENDINGS = (".gt.txt", ".txt")
"""What a text is called beside its file: `line.png` and `line.gt.txt`, or `line.txt`."""

_WITHOUT, _NOT_UTF8 = "files without a text beside them", "files with a text beside them that is not UTF-8"


def read_folder(path: str | Path) -> tuple[list[Pair], ReadReport]:
    """The pairs of a folder: each image or recording in it with the text beside it.

    Where no file has a text beside it, the folder that each lies in is its label. Files are taken in the order of their
    names; one that has no text, where others have, is left out and counted, as is a text that is empty.

    Raises RegardError: can't be read, no image or recording in it, neither texts nor folders.
    """
    folder = Path(path)
    known = frozenset().union(*ENDINGS.values())
    try:
        files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in known and each.is_file())
    except OSError as error:
        raise RegardError(f"{folder}: can't be read ({error.strerror or error})") from None
    if not files:
        raise RegardError(f"{folder}: no image and no recording in it ({' '.join(sorted(known))})")
    texts = {file: _text_beside(file) for file in files}
    if all(text == _WITHOUT for text in texts.values()):
        if any(file.parent == folder for file in files):
            raise RegardError(
                f"{folder}: no text beside any of its {len(files):,} files; write {files[0].with_suffix('.txt').name} "
                f"for {files[0].name}, sort the files into folders by label, or give a TSV of paths and texts"
            )
        texts = {file: file.parent.name for file in files}
    report = ReadReport(str(folder), noun="pair")
    rows: list[Pair] = []
    for number, (file, text) in enumerate(texts.items(), start=1):
        report.lines += 1
        if text in (_WITHOUT, _NOT_UTF8):
            report.leave_out(text, number)
        else:
            rows.append(Pair(str(file), text, str(folder), number))
    read, inner = listed_pairs([(pair.source, pair.target) for pair in rows], str(folder))
    for reason, tally in inner.left_out.items():
        report.left_out[reason] = tally
    report.kept = len(read)
    return [Pair(each.source, each.target, str(folder), rows[each.line - 1].line) for each in read], report


def _text_beside(file: Path) -> str:
    """The text, or why there is none."""
    for ending in TEXT_ENDINGS:
        beside = file.with_suffix(ending)
        if beside.is_file():
            try:
                return beside.read_text(encoding="utf-8-sig")
            except UnicodeDecodeError:
                return _NOT_UTF8
            except OSError as error:
                raise RegardError(f"{beside}: can't be read ({error.strerror or error})") from None
    return _WITHOUT


def read_any(
    path: str | Path,
    parallel: str | Path | None,
    settings: DataSettings,
    references: bool = False,
    like: DataSettings | None = None,
) -> tuple[list[Pair], ReadReport, Medium]:
    """The pairs of a file, two parallel ones, or a folder, and what their sources are.

    Where `like` is given, the settings of a model or of other pairs, sources have features if those have, and columns
    that are not given are the same as there, unless a header or what they hold says otherwise, which is told.
    Paths of images and recordings count from the folder of the file that names them. A first line whose source has no
    ending, as no file's name, is their header.
    """
    _check_features(path, parallel, settings, like)
    if parallel is not None:
        pairs, report = read_parallel(path, parallel)
    elif Path(path).is_dir():
        pairs, report = read_folder(path)
        return pairs, report, settings.medium or medium_of([pair.source for pair in pairs])
    else:
        asked = _asked(settings, references, like)
        pairs, report = read_pairs(path, **vars(asked))
    medium = settings.medium or medium_of([pair.source for pair in pairs])
    return pairs if medium == "text" else list(_files(iter(pairs), report, path, medium)), report, medium


def stream_any(
    path: str | Path, parallel: str | Path | None, settings: DataSettings, like: DataSettings
) -> tuple[Iterator[Pair], ReadReport]:
    """The same one after the other, of the medium that is given, in memory that does not grow with the file.

    The report is complete after the last pair. What differs: `regard.data.reading.stream_pairs`.
    """
    _check_features(path, parallel, settings, like)
    medium = settings.medium or "text"
    if parallel is not None:
        pairs, report = stream_parallel(path, parallel)
    elif Path(path).is_dir():
        listed, report = read_folder(path)
        return iter(listed), report
    else:
        pairs, report = stream_pairs(path, _asked(settings, False, like))
    return pairs if medium == "text" else _files(pairs, report, path, medium), report


def _check_features(
    path: str | Path, parallel: str | Path | None, settings: DataSettings, like: DataSettings | None
) -> None:
    """Raises RegardError where sources should have features and can't."""
    if (parallel is not None or Path(path).is_dir()) and (
        (like is not None and has_features(like)) or has_features(settings)
    ):
        raise RegardError(
            f"{path}: features of sources (data.features) are a column of a table beside their source and target; "
            "give such a file"
        )


def _asked(settings: DataSettings, references: bool, like: DataSettings | None) -> Asked:
    """Which columns are asked for."""
    # The defaults let the reader look for the usual names of columns.
    source, target = _beside_usual(settings)
    features = settings.features if like is None or has_features(like) else NO_FEATURES
    known = None if like is None else columns_known(like if features is None else replace(like, features=features))
    return Asked(source, target, features, references, known)


def columns_known(like: DataSettings) -> Known | None:
    """The columns of the pairs that were learned from, by settings without an open choice; None: the usual ones."""
    source, target = _beside_usual(like)
    if source is None and target is None and not has_features(like):
        return None
    return source, target, like.features or NO_FEATURES


def _beside_usual(settings: DataSettings) -> tuple[str | None, str | None]:
    """The columns of source and target, None for those that are the usual ones."""
    usual = DataSettings()
    return (
        None if settings.source == usual.source else settings.source,
        None if settings.target == usual.target else settings.target,
    )


def _files(pairs: Iterator[Pair], report: ReadReport, path: str | Path, medium: Medium) -> Iterator[Pair]:
    """Pairs of files, whose paths count from the folder of the table; its header is left out."""
    root, first = Path(path).parent, list(islice(pairs, 2))
    if len(first) > 1 and first[0].line == 1 and not Path(first[0].source).suffix:
        report.remarks.append(headers.taken([first[0].source, first[0].target]))
        report.lines, report.kept, report.first, first = report.lines - 1, report.kept - 1, 2, first[1:]
    for pair in chain(first, pairs):
        if MARK in pair.source:
            raise RegardError(f"{path}: features are for sources that are texts, and these are files ({medium})")
        yield replace(pair, source=str(root / pair.source))


def has_features(settings: DataSettings) -> bool:
    """Whether sources have features, by settings without an open choice."""
    return settings.features not in (None, NO_FEATURES)
