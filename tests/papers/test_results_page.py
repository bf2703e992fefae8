"""`docs/results.md` is what the stored results say."""

from __future__ import annotations

import re

import curves
import hard_attention
import report
import tatoeba_cmn
from runner import RESULTS


def test_the_page_is_made_of_the_stored_results() -> None:
    assert report.PAGE.read_text(encoding="utf-8") == report.page()


def test_every_picture_of_the_page_is_there_and_small() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", report.page())
    assert pictures
    for picture in pictures:
        assert 5_000 < (report.DOCS / picture).stat().st_size < 150_000


def test_every_stored_result_is_of_a_job_of_today() -> None:
    for table, jobs in ((each.TABLE, each.jobs()) for each in (tatoeba_cmn, curves, hard_attention)):
        lines = (RESULTS / f"{table}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == len(report.finished(table, jobs)) > 0


def test_jobs_have_names_and_digests_of_their_own() -> None:
    for jobs in (tatoeba_cmn.jobs(), curves.jobs(), hard_attention.jobs()):
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
