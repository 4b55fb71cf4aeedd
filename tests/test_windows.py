"""Windows: slices, targets, null windows."""

import numpy as np
import pytest
from tiny_reader import question, short, simple_questions, write_tiny_bert

from tuneprobe.encoders.encoder import Encoder, load_encoder
from tuneprobe.formats.question import Annotation, Candidate
from tuneprobe.tuning.windows import (
    ANSWER_TYPES,
    WindowError,
    cut_windows,
    first_answer,
    slices,
    training_windows,
)

CUT = {"window": 16, "stride": 3, "max_question": 5}
LONG_TEXT = "the kite built by ann lee in 1901 . the old red town . the river"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load_encoder("tiny", path=str(write_tiny_bert(tmp_path_factory.mktemp("bert"))))


def tokens(encoder: Encoder, ids) -> list[str]:
    return encoder.tokenizer.convert_ids_to_tokens(ids)


def only_windows(encoder: Encoder, asked, **settings):
    return next(iter(cut_windows(encoder, [asked], **{**CUT, **settings})))


def test_a_short_document_is_one_window_whose_target_is_the_answer(encoder: Encoder) -> None:
    asked = question(0, "who flew", "tulips by ann lee .", short(2, 4))
    (window,) = only_windows(encoder, asked)
    pieces = window.pieces(encoder.tokenizer)
    read = "[CLS] who flew [SEP] tu ##lip ##s by ann lee . [SEP]".split()
    assert tokens(encoder, pieces.ids) == read
    assert pieces.types.tolist() == [0] * 4 + [1] * 8
    assert window.words.tolist() == [0, 0, 0, 1, 2, 3, 4]
    assert (read[window.start], read[window.end]) == ("ann", "lee")
    assert ANSWER_TYPES[window.answer_type] == "short"
    assert len(window) == len(pieces)


def test_a_word_of_several_pieces_is_answered_from_its_first_to_its_last(encoder: Encoder) -> None:
    (window,) = only_windows(encoder, question(0, "what", "the tulips", short(1, 2)))
    read = tokens(encoder, window.pieces(encoder.tokenizer).ids)
    assert read[window.start : window.end + 1] == ["tu", "##lip", "##s"]


@pytest.mark.parametrize("n_pieces", [0, 1, 5, 6, 7, 9, 10, 30])
@pytest.mark.parametrize("stride", [1, 3, 6, 9])
def test_slices_cover_the_document_and_stop_at_its_end(n_pieces: int, stride: int) -> None:
    found, begin = [], 0  # the loop of BERT-joint
    while True:
        stop = min(begin + 6, n_pieces)
        found.append((begin, stop))
        if stop == n_pieces:
            break
        begin += min(stop - begin, stride)
    assert slices(n_pieces, room=6, stride=stride) == found


def test_no_window_is_longer_than_asked_or_than_the_encoder_reads(encoder: Encoder) -> None:
    asked = question(0, "who built the kite", LONG_TEXT * 5, short(4, 6))
    assert max(map(len, only_windows(encoder, asked))) == 16
    assert max(map(len, only_windows(encoder, asked, window=512))) == encoder.max_pieces


def test_a_window_without_the_whole_answer_points_to_cls(encoder: Encoder) -> None:
    asked = question(0, "who", LONG_TEXT, short(3, 6))
    windows = only_windows(encoder, asked, window=10)
    for window in windows:
        whole = {3, 4, 5} <= set(window.words.tolist())
        assert (window.start > 0) == whole
        assert (ANSWER_TYPES[window.answer_type] == "short") == whole
        if whole:
            at = slice(window.start - window.offset, window.end - window.offset + 1)
            assert window.words[at].tolist() == [3, 4, 5]
    assert 0 < sum(window.start > 0 for window in windows) < len(windows)


def test_a_long_question_keeps_its_last_pieces(encoder: Encoder) -> None:
    (window,) = only_windows(
        encoder, question(0, "who built the old red kite in town", "the kite"), max_question=3
    )
    assert tokens(encoder, window.question) == ["kite", "in", "town"]


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ((), (0, 0, "unknown")),
        ((Annotation(),), (0, 0, "unknown")),
        ((Annotation(long=1),), (4, 9, "long")),
        ((Annotation(long=1, yes_no="YES"),), (4, 9, "yes")),
        ((Annotation(long=1, yes_no="NO"),), (4, 9, "no")),
        ((Annotation(yes_no="NO"),), (0, 0, "unknown")),
        ((Annotation(long=0, shorts=((1, 2), (3, 4))),), (1, 4, "short")),
        ((Annotation(long=1), Annotation(long=0, shorts=((1, 2),))), (4, 9, "long")),
    ],
)
def test_the_first_annotator_gives_interval_and_type(annotations, expected) -> None:
    candidates = (Candidate(0, 4), Candidate(4, 9))
    asked = question(0, "who", LONG_TEXT, *annotations, candidates=candidates)
    start, end, kind = first_answer(asked)
    assert (start, end, ANSWER_TYPES[kind]) == expected


def test_a_word_without_a_piece_is_not_read_and_shifts_no_other_word(encoder: Encoder) -> None:
    asked = question(0, "who", "the \u200b kite by ann", short(4, 5))
    (window,) = only_windows(encoder, asked)
    assert window.words.tolist() == [0, 2, 3, 4]
    assert window.words[window.start - window.offset] == 4
    (nothing,) = only_windows(encoder, question(0, "who", "the \u200b kite", short(1, 2)))
    assert ANSWER_TYPES[nothing.answer_type] == "unknown"


def test_null_windows_are_kept_at_the_asked_rate_and_answers_always(encoder: Encoder) -> None:
    asked = [question(n, "who", LONG_TEXT * 6, short(3, 6)) for n in range(200)]
    few, all_of_them = (
        training_windows(encoder, asked, **CUT, null_keep=keep, seed=1).windows
        for keep in (0.1, 1.0)
    )
    n_null = sum(window.start == 0 for window in all_of_them)
    kept = sum(window.start == 0 for window in few)
    assert abs(kept / n_null - 0.1) < 4 * np.sqrt(0.1 * 0.9 / n_null)
    assert sum(w.start > 0 for w in few) == sum(w.start > 0 for w in all_of_them) > 0


def test_a_null_window_is_kept_or_not_whatever_else_is_read(encoder: Encoder) -> None:
    asked = [question(n, f"who {n}", LONG_TEXT * 3, short(3, 6)) for n in range(20)]

    def kept(order) -> dict[int, list]:
        cut = training_windows(
            encoder, [asked[n] for n in order], **CUT, null_keep=0.3, seed=4
        ).windows
        found: dict[int, list] = {n: [] for n in order}
        for window in cut:
            found[order[window.item]].append(window.document.tolist())
        return found

    forward, backward = kept(list(range(20))), kept(list(range(19, 9, -1)))
    assert backward == {n: forward[n] for n in backward}


def test_training_windows_hold_no_whole_document_and_do_not_depend_on_how_many_are_read_together(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [question(n, f"who {n}", LONG_TEXT * 3, short(3, 6)) for n in range(7)]
    at_once = training_windows(encoder, iter(asked), **CUT, null_keep=0.5, seed=1)
    monkeypatch.setattr("tuneprobe.tuning.windows.TOGETHER", 2)
    by_two = training_windows(encoder, iter(asked), **CUT, null_keep=0.5, seed=1)
    assert by_two.sha256() == at_once.sha256()
    assert [one.item for one in by_two.windows] == [one.item for one in at_once.windows]
    assert all(one.document.base is None and one.words.base is None for one in by_two.windows)


def test_the_fingerprint_sees_texts_targets_and_order(encoder: Encoder) -> None:
    def fingerprint(questions) -> str:
        return training_windows(encoder, questions, **CUT, null_keep=1.0, seed=1).sha256()

    asked = simple_questions(3)
    other_answer = question(0, " ".join(asked[0].words), " ".join(asked[0].document), short(4, 5))
    seen = [asked, asked[::-1], asked[:2], [other_answer, *asked[1:]]]
    assert len({fingerprint(questions) for questions in seen}) == 4
    assert fingerprint(asked) == fingerprint(simple_questions(3))


def test_a_batch_pads_inputs_and_stacks_targets(encoder: Encoder) -> None:
    windows = training_windows(encoder, simple_questions(4), **CUT, null_keep=0.0, seed=1)
    batch = windows.batch(np.arange(len(windows.windows)))
    assert batch["input_ids"].shape == (len(windows.windows), windows.lengths.max())
    assert batch["attention_mask"].sum(dim=1).tolist() == windows.lengths.tolist()
    assert batch["start"].tolist() == [window.start for window in windows.windows]


def test_a_window_without_room_for_a_document_is_refused(encoder: Encoder) -> None:
    with pytest.raises(WindowError, match=r"window of 8 .* question of 5: raise window"):
        only_windows(encoder, simple_questions(1)[0], window=8)


def test_no_window_to_train_on_is_refused(encoder: Encoder) -> None:
    unanswered = [question(0, "who", "the kite", Annotation())]
    with pytest.raises(WindowError, match="1 questions give no window"):
        training_windows(encoder, unanswered, **CUT, null_keep=0.0, seed=1)
