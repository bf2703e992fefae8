"""`docs/results.md` is what the stored results say."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import curves
import hard_attention
import image_earlyprint
import image_mnist
import numpy as np
import pytest
import report
import tatoeba_cmn
import yoyodyne
from runner import RESULTS


def test_the_page_is_made_of_the_stored_results() -> None:
    assert report.PAGE.read_text(encoding="utf-8") == report.page()


def test_every_picture_of_the_page_is_there_and_small() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", report.page())
    assert pictures
    for picture in pictures:
        assert 5_000 < (report.DOCS / picture).stat().st_size < 150_000


def test_every_stored_result_is_of_a_job_of_today() -> None:
    for table in (tatoeba_cmn, curves, hard_attention, yoyodyne):
        path = RESULTS / f"{table.TABLE}.jsonl"
        assert len(path.read_text(encoding="utf-8").splitlines()) == len(report.finished(table.TABLE, table.jobs())) > 0


def test_jobs_have_names_and_digests_of_their_own() -> None:
    for table in (tatoeba_cmn, curves, hard_attention, image_mnist, image_earlyprint, yoyodyne):
        jobs = table.jobs()
        assert len({job.name for job in jobs}) == len({job.digest for job in jobs}) == len(jobs)


def test_the_models_of_the_chinese_table_differ_only_in_what_they_are_named_after() -> None:
    about = {job.about["model"]: job.about["settings"] for job in tatoeba_cmn.jobs() if job.about["seed"] == 1}
    for model in ("additive", "bilinear"):
        different = dict(about[model].items() ^ about["no attention"].items())
        assert set(different) == {"model.context", "model.cross.score"}


def test_the_kinds_of_hard_attention_differ_in_one_setting() -> None:
    jobs = [job for job in hard_attention.jobs() if job.about["seed"] == 1 and job.about["corpus"] == "g2p-bul"]
    about = {job.about["model"]: job.about["settings"] for job in jobs}
    assert set(about) == set(hard_attention.KINDS)
    for settings in about.values():
        different = dict(settings.items() ^ about["soft"].items())
        assert set(different) <= {"model.context", "model.cross.normalizer"}
        assert len(different) <= 1


def test_the_models_that_read_digits_differ_in_one_setting() -> None:
    about = {job.about["model"]: job.about["settings"] for job in image_mnist.jobs() if job.about["seed"] == 1}
    for name, settings in about.items():
        assert len({key for key, _ in settings.items() ^ about["softmax"].items()}) == (name != "softmax")


def test_images_of_the_idx_format(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    header = b"".join(number.to_bytes(4, "big") for number in (2051, 3, 28, 28))
    (tmp_path / "images.gz").write_bytes(gzip.compress(header + pixels.tobytes()))
    np.testing.assert_array_equal(image_mnist.images(tmp_path / "images.gz"), pixels)
    (tmp_path / "labels.gz").write_bytes(gzip.compress((2049).to_bytes(4, "big") + bytes(20)))
    with pytest.raises(SystemExit, match="no idx file of images"):
        image_mnist.images(tmp_path / "labels.gz")
