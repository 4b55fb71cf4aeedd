"""Result rows: typed facets, one builder, and nothing lost against the joined strings of before."""

from pathlib import Path

import pandas as pd
import pytest

from tuneprobe.artifacts import ArtifactError
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.results import (
    Result,
    facet_columns,
    read_results,
    stamp,
    to_frame,
    write_results,
)

KEYS = {"study": "s", "encoder": "e", "task": "t", "seed": 1}


def test_stamp_adds_what_all_rows_share_and_the_level_of_each_interval() -> None:
    rows = [Result("a", 1.0, 0.5, 1.5), Result("a", 2.0, 1.5, 2.5, level=0.9), Result("b", 3.0)]
    stamped = stamp(rows, **KEYS, state="random", level=0.95)
    assert {(row.study, row.encoder, row.task, row.seed, row.state) for row in stamped} == {
        ("s", "e", "t", 1, "random")
    }
    assert [row.level for row in stamped[:2]] == [0.95, 0.9]
    assert pd.isna(stamped[2].level)


def test_rows_that_no_study_stamped_are_refused() -> None:
    with pytest.raises(ArtifactError, match="a row of 'a' has no study"):
        to_frame([Result("a", 1.0)])


def test_an_unknown_facet_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'classifier'"):
        facet_columns(["classifer"])
    with pytest.raises(TypeError, match="classifer"):
        Result("a", 1.0, classifer="mlp")  # type: ignore[call-arg]


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = [
        Result("m", 1 / 3, label="NA", layer=2, step=5),
        Result("m", 0.5, 0.4, 0.6, n=7, classifier="mlp", centred=0, other=3),
    ]
    write_results(stamp(rows, **KEYS, level=0.95), tmp_path / "r.csv")
    frame = read_results(tmp_path / "r.csv")
    pd.testing.assert_frame_equal(frame, to_frame(stamp(rows, **KEYS, level=0.95)))
    assert frame.label.tolist() == ["", "NA"] or frame.label.tolist() == ["NA", ""]
