"""Natural Questions: both formats give the same questions, and every fault has its place."""

import gzip
import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.nq import read_nq
from tuneprobe.formats.question import Annotation, Candidate, Question

Json = dict[str, Any]


def original(html: str, question: str, title: str, number: int, **answers: Any) -> Json:
    """An example in the original format; every tag and every word of `html` is a token."""
    tokens = [
        {
            "token": match.group(),
            "start_byte": len(html[: match.start()].encode()),
            "end_byte": len(html[: match.end()].encode()),
            "html_token": match.group().startswith("<"),
        }
        for match in re.finditer(r"<[^>]*>|[^<\s]+", html)
    ]
    return {
        "example_id": number,
        "document_title": title,
        "document_html": html,
        "question_text": question,
        "question_tokens": question.split(),
        "document_tokens": tokens,
        **answers,
    }


def candidate(start: int, end: int, top_level: bool = True) -> Json:
    return {"start_token": start, "end_token": end, "top_level": top_level}


def annotation(
    long: tuple[int, int, int] = (-1, -1, -1), *shorts: tuple[int, int], yes_no: str = "NONE"
) -> Json:
    index, start, end = long
    return {
        "long_answer": {"candidate_index": index, "start_token": start, "end_token": end},
        "short_answers": [{"start_token": a, "end_token": b} for a, b in shorts],
        "yes_no_answer": yes_no,
    }


def kites() -> list[Json]:
    """Three invented examples: short answers and an empty table; a yes; no answer at all."""
    return [
        original(
            "<H1>Kite</H1> <Table><Tr><Td colspan=2></Td></Tr></Table>"
            " <P>Zoë Lee flew it with Ann</P>",
            "who flew it",
            "Kite",
            7,
            long_answer_candidates=[candidate(3, 9), candidate(4, 8, False), candidate(9, 17)],
            annotations=[
                annotation((2, 9, 17), (10, 12), (15, 16)),
                annotation((2, 9, 17)),
                annotation(),
            ],
        ),
        original(
            "<P>Paper burns</P>",
            "does paper burn",
            "Paper",
            -8,
            long_answer_candidates=[candidate(0, 4)],
            annotations=[annotation((0, 0, 4), yes_no="YES")],
        ),
        original(
            "<P>Rain falls</P>",
            "why is it dry",
            "Rain",
            9,
            long_answer_candidates=[candidate(0, 4)],
            annotations=[annotation()],
        ),
    ]


def simplified(example: Json) -> Json:
    """The upstream rule: tokens joined by blanks, their own blanks replaced; no bytes, no title."""
    text = " ".join(token["token"].replace(" ", "_") for token in example["document_tokens"])
    kept = {
        key: example[key]
        for key in ("example_id", "question_text", "long_answer_candidates", "annotations")
    }
    address = f"https://en.example.org//w/index.php?title={example['document_title']}&amp;oldid=1"
    return {**kept, "document_text": text, "document_url": address}


KITE = Question(
    id="7",
    title="Kite",
    words=("who", "flew", "it"),
    document=("Kite", "Zoë", "Lee", "flew", "it", "with", "Ann"),
    candidates=(Candidate(1, 1), Candidate(1, 1, top_level=False), Candidate(1, 7)),
    annotations=(
        Annotation(long=2, shorts=((1, 3), (6, 7))),
        Annotation(long=2),
        Annotation(),
    ),
)


def write(path: Path, *examples: Json) -> Path:
    text = "".join(json.dumps(example) + "\n" for example in examples)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_the_original_format_drops_html_tokens_and_counts_the_words_that_remain(tmp_path):
    questions = list(read_nq(write(tmp_path / "a.jsonl.gz", *kites())))
    assert questions[0] == KITE
    assert [question.id for question in questions] == ["7", "-8", "9"]


def test_the_answer_types_are_those_of_bert_joint(tmp_path):
    questions = read_nq(write(tmp_path / "a.jsonl", *kites()))
    types = [[one.answer_type for one in question.annotations] for question in questions]
    assert types == [["short", "long", "unknown"], ["yes"], ["unknown"]]


def test_both_formats_give_the_same_questions(tmp_path):
    full = read_nq(write(tmp_path / "full.jsonl", *kites()))
    short = read_nq(write(tmp_path / "short.jsonl", *map(simplified, kites())))
    assert list(full) == list(short)


def test_a_json_file_holds_one_object_over_many_lines(tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(kites()[0], indent=1))
    assert list(read_nq(path)) == [KITE]


def test_white_space_other_than_a_blank_does_not_end_a_token(tmp_path):
    example = simplified(kites()[1])
    example["document_text"] = "<P> Paper\u00a0now burns </P>"
    (question,) = read_nq(write(tmp_path / "a.jsonl", example))
    assert question.document == ("Paper\u00a0now", "burns")


def test_words_with_angle_brackets_are_not_html_tokens(tmp_path):
    example = simplified(kites()[1])
    example["document_text"] = "<P> <3 > </P>"
    (question,) = read_nq(write(tmp_path / "a.jsonl", example))
    assert question.document == ("<3", ">")


def test_an_unlabelled_question_has_no_annotations(tmp_path):
    example = simplified(kites()[1])
    del example["annotations"]
    (question,) = read_nq(write(tmp_path / "a.jsonl", example))
    assert question.annotations == ()


@pytest.mark.parametrize("start", ["Dry paper - wikipedia", "<H1> Dry paper </H1>"])
def test_without_title_and_address_the_first_words_are_the_title(tmp_path, start):
    example = simplified(kites()[1])
    del example["document_url"]
    example["document_text"] = f"{start} <P> burns </P>"
    example["long_answer_candidates"], example["annotations"] = [], []
    (question,) = read_nq(write(tmp_path / "a.jsonl", example))
    assert question.title == "Dry paper"


FAULTS: dict[str, tuple[Callable[[Json], Any], str]] = {
    "missing key": (
        lambda example: example.pop("long_answer_candidates"),
        "long_answer_candidates is missing",
    ),
    "token without text": (
        lambda example: example["document_tokens"][3].pop("token"),
        r"document_tokens\[3\].token is missing",
    ),
    "candidate outside": (
        lambda example: example["long_answer_candidates"][0].update(end_token=5),
        r"long_answer_candidates\[0\].end_token ends \[0, 5\), outside a document of 4 tokens",
    ),
    "short answer outside": (
        lambda example: example["annotations"][0].update(annotation((0, 0, 4), (3, 9))),
        r"annotations\[0\].short_answers\[0\].end_token ends \[3, 9\), outside",
    ),
    "no such candidate": (
        lambda example: example["annotations"][0].update(annotation((1, 0, 4))),
        r"candidate_index is 1, but there are 1 candidates",
    ),
    "another candidate": (
        lambda example: example["annotations"][0].update(annotation((0, 1, 4))),
        r"candidate_index is 0, which is \(0, 4\), but the answer is \(1, 4\)",
    ),
    "wrong kind": (
        lambda example: example["long_answer_candidates"][0].update(start_token="0"),
        r'start_token is "0", expected a whole number',
    ),
    "no address": (
        lambda example: [example.pop("document_title"), example.update(document_url="http://[x")],
        r"document_url is no address",
    ),
    "neither yes nor no": (
        lambda example: example["annotations"][0].update(yes_no_answer="MAYBE"),
        "yes_no_answer is 'MAYBE', expected one of YES, NO, NONE",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_file_line_and_field(tmp_path, fault):
    spoil, message = FAULTS[fault]
    first, second = kites()[:2]
    spoil(second)
    path = write(tmp_path / "bad.jsonl", first, second)
    questions = read_nq(path)
    assert next(questions) == KITE
    with pytest.raises(CorpusError, match=rf"bad\.jsonl:2: .*{message}"):
        next(questions)


def test_a_malformed_line_is_named(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(kites()[0]) + "\n\n" + '{"example_id": 1,\n')
    with pytest.raises(CorpusError, match=r"bad\.jsonl:3: not JSON at column"):
        list(read_nq(path))


def test_bytes_that_are_not_utf8_are_named(tmp_path):
    path = write(tmp_path / "bad.jsonl", kites()[0])
    path.write_bytes(path.read_bytes() + b'{"example_id": "\xff"}\n')
    with pytest.raises(CorpusError, match=r"bad\.jsonl:2: byte 16 of the line is not UTF-8"):
        list(read_nq(path))


@pytest.mark.parametrize("cut", [8, 40])
def test_a_truncated_gzip_is_one_error_with_file_and_line(tmp_path, cut):
    path = write(tmp_path / "cut.jsonl.gz", *kites())
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(CorpusError, match=r"cut\.jsonl\.gz:\d+: the archive is cut short"):
        list(read_nq(path))


def test_a_file_that_is_no_gzip_is_one_error(tmp_path):
    path = tmp_path / "false.jsonl.gz"
    path.write_text("{}\n")
    with pytest.raises(CorpusError, match=r"false\.jsonl\.gz:1: the archive is cut short or dama"):
        list(read_nq(path))


NATIVE = {  # file → candidates upstream
    "simplified/farm_train_sample.jsonl": 236,
    "simplified/farm_dev_sample.jsonl": 37,
    "simplified/tyushang_ds-train-head1.json": 63,
    "simplified/tyushang_ds-test-head1.json": 11,
    "original/tyushang_ds-dev-full-head1.json": 10,
}


@pytest.mark.shared_data
@pytest.mark.parametrize("name", NATIVE)
def test_intervals_of_the_native_examples_hold_the_words_of_the_upstream_ones(shared_data, name):
    path = shared_data / "mrc" / "natural_questions" / name
    upstream = json.loads(path.read_text())
    (question,) = read_nq(path)
    tokens = [token["token"] for token in upstream.get("document_tokens", [])]
    tokens = tokens or upstream["document_text"].split(" ")

    def words(start: int, end: int) -> tuple[str, ...]:
        return tuple(
            token for token in tokens[start:end] if not re.match(r"</?[A-Z]\w*.*>$", token)
        )

    assert question.id == str(upstream["example_id"])
    assert question.document == words(0, len(tokens))
    assert len(question.candidates) == NATIVE[name]
    for ours, theirs in zip(question.candidates, upstream["long_answer_candidates"], strict=True):
        assert question.document[ours.start : ours.end] == words(
            theirs["start_token"], theirs["end_token"]
        )
        assert ours.top_level == theirs["top_level"]
    for ours, theirs in zip(question.annotations, upstream.get("annotations", []), strict=True):
        assert ours.long == theirs["long_answer"]["candidate_index"]
        assert [question.document[start:end] for start, end in ours.shorts] == [
            words(short["start_token"], short["end_token"]) for short in theirs["short_answers"]
        ]


@pytest.mark.shared_data
def test_words_of_the_native_original_example_are_the_bytes_of_its_page(shared_data):
    path = shared_data / "mrc/natural_questions/original/tyushang_ds-dev-full-head1.json"
    upstream = json.loads(path.read_text())
    (question,) = read_nq(path)
    page = upstream["document_html"].encode()
    shorts = [short for one in upstream["annotations"] for short in one["short_answers"]]
    ours = [short for one in question.annotations for short in one.shorts]
    assert len(shorts) == len(ours) == 1
    for (start, end), theirs in zip(ours, shorts, strict=True):
        text = unescape(page[theirs["start_byte"] : theirs["end_byte"]].decode())
        plain = re.sub(r"<[^>]*>|\s", "", text)
        assert "".join(question.document[start:end]) == plain
