"""The embedded corpus: upstream formats, gold by construction, the same bytes everywhere."""

import json
import tarfile
from collections import Counter
from hashlib import sha256
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from tuneprobe.corpora.framenet import read_framenet
from tuneprobe.corpora.nq import read_nq
from tuneprobe.corpora.world.draws import Draws
from tuneprobe.corpora.world.entities import PRONOUNS, person, words
from tuneprobe.corpora.world.grammar import GrammarError, Token, Tokens, parse, render
from tuneprobe.corpora.world.lexicon import CONCEPTS
from tuneprobe.corpora.world.relations import relations
from tuneprobe.examples.frames import build_frames
from tuneprobe.scores.decode import to_prediction
from tuneprobe.scores.evaluate import gold_answers
from tuneprobe.scores.lexical import read_lexically
from tuneprobe.scores.nq_eval import best_f1, judge_short

Record = dict[str, Any]
FILES = (
    "README",
    *(f"dev.{ending}" for ending in ("conllu", "conllulex", "jsonl", "label")),
    *(f"frames/frame/{name}.xml" for name in sorted(one.name.capitalize() for one in relations())),
    "frames/fulltext/dev.xml",
    "links.jsonl",
    *(f"{folder}/{split}.tsv" for folder in ("rte", "sst2") for split in ("dev", "train")),
    *(f"train.{ending}" for ending in ("conllu", "conllulex", "jsonl", "label")),
)


def _lines(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def records(world: Path) -> dict[str, list[Record]]:
    return {split: _lines(world / f"{split}.jsonl") for split in ("train", "dev")}


@pytest.fixture(scope="module")
def gold(world: Path) -> dict[int, Record]:
    return {line["example_id"]: line for line in _lines(world / "links.jsonl")}


def _tokens(record: Record) -> list[str]:
    return record["document_text"].split(" ")


def _kinds(record: Record) -> set[str]:
    return {link["kind"] for link in record["links"]}


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_same_seed_writes_the_bytes_that_are_recorded(root: Path, world: Path) -> None:
    assert tuple(_digests(world)) == FILES
    assert _digests(root / "data" / "world") == _digests(world)


def test_draws_are_those_of_a_hash_and_not_of_a_library() -> None:
    draws = Draws(2020, "a test")
    assert [draws.below(1000) for _ in range(5)] == [619, 102, 815, 314, 289]
    assert sorted(draws.shuffled(range(9))) == list(range(9))


def test_the_readme_says_that_the_corpus_is_synthetic(world: Path) -> None:
    text = (world / "README").read_text()
    assert "synthetic" in text
    assert "seed 2020" in text
    assert "CC0" in text


def test_there_are_1800_and_600_questions_over_disjoint_documents(
    records: dict[str, list[Record]],
) -> None:
    assert {split: len(lines) for split, lines in records.items()} == {"train": 1800, "dev": 600}
    urls = {split: {r["document_url"] for r in lines} for split, lines in records.items()}
    assert len(urls["train"]) == 900
    assert len(urls["dev"]) == 300
    assert not urls["train"] & urls["dev"]


def test_no_person_or_organisation_of_a_train_answer_occurs_in_dev(
    records: dict[str, list[Record]], gold: dict[int, Record]
) -> None:
    dev = "\n".join({r["document_text"] for r in records["dev"]})
    names = {
        " ".join(_tokens(r)[slice(*gold[r["example_id"]]["short_answer"])])
        for r in records["train"]
        if r["question_text"].startswith("who") and "short_answer" in gold[r["example_id"]]
    }
    full = {name for name in names if " " in name}
    assert len(full) > 250
    assert [name for name in full if f" {name} " in dev] == []


def test_the_reader_of_natural_questions_reads_it(world: Path, gold: dict[int, Record]) -> None:
    for question in read_nq(world / "dev.jsonl"):
        assert len(question.annotations) == 5
        assert len(question.candidates) >= 2
        assert 50 <= len(question.document) <= 140
        assert " ".join(question.words) == " ".join(question.words).lower()


def test_answers_lie_in_their_candidates_and_are_those_of_the_links(
    records: dict[str, list[Record]], gold: dict[int, Record]
) -> None:
    for record in records["train"]:
        (annotation,) = record["annotations"]
        long, shorts = annotation["long_answer"], annotation["short_answers"]
        answer = gold[record["example_id"]]
        assert (long["candidate_index"] < 0) == (answer["answer_type"] == "null")
        if long["candidate_index"] < 0:
            continue
        candidate = record["long_answer_candidates"][long["candidate_index"]]
        assert candidate["top_level"]
        assert candidate["start_token"] == long["start_token"]
        assert candidate["end_token"] == long["end_token"]
        assert _tokens(record)[long["start_token"]] in ("<P>", "<Ul>", "<Table>")
        for short in shorts:
            assert long["start_token"] < short["start_token"] < short["end_token"]
            assert short["end_token"] < long["end_token"]
            assert [short["start_token"], short["end_token"]] == answer["short_answer"]
            start, end = answer["answer_sentence"]
            assert start <= short["start_token"] < short["end_token"] <= end
            assert _tokens(record)[end - 1] == "."


def test_candidates_nest_and_start_and_end_with_their_tag(
    records: dict[str, list[Record]],
) -> None:
    nested = 0
    for record in records["dev"]:
        tokens = _tokens(record)
        parent = None
        for candidate in record["long_answer_candidates"]:
            start, end = candidate["start_token"], candidate["end_token"]
            assert tokens[end - 1] == tokens[start].replace("<", "</")
            if candidate["top_level"]:
                parent = candidate
            else:
                nested += 1
                assert parent is not None
                assert parent["start_token"] < start < end < parent["end_token"]
    assert nested > 200


def test_a_short_answer_does_not_occur_in_its_question(
    records: dict[str, list[Record]], gold: dict[int, Record]
) -> None:
    for record in records["dev"]:
        link = gold[record["example_id"]]
        if "short_answer" in link:
            answer = " ".join(_tokens(record)[slice(*link["short_answer"])]).lower()
            assert f" {answer} " not in f" {record['question_text']} "


def test_when_is_answered_by_a_date_and_who_by_a_name(
    records: dict[str, list[Record]], gold: dict[int, Record]
) -> None:
    for record in records["train"]:
        link = gold[record["example_id"]]
        if "short_answer" not in link:
            continue
        answer = _tokens(record)[slice(*link["short_answer"])]
        first = record["question_text"].split()[0]
        if first == "when":
            assert answer[-1].isdigit()
            assert len(answer[-1]) == 4
        elif first in ("who", "where"):
            assert all(word[0].isupper() for word in answer)


def test_dev_annotators_mostly_agree_and_the_rule_of_two_matters(
    records: dict[str, list[Record]], gold: dict[int, Record]
) -> None:
    votes = Counter()
    for record in records["dev"]:
        answerable = gold[record["example_id"]]["answer_type"] != "null"
        non_null = sum(a["long_answer"]["start_token"] >= 0 for a in record["annotations"])
        votes[answerable, non_null >= 2] += 1
        assert len({a["annotation_id"] for a in record["annotations"]}) == 5
    assert votes[False, True] == 0
    assert 5 <= votes[True, False] <= 60
    assert votes[True, True] >= 450


def test_every_probe_finds_enough_dev_questions(gold: dict[int, Record]) -> None:
    counts = Counter(k for line in gold.values() if line["split"] == "dev" for k in _kinds(line))
    assert counts["synonyms"] >= 300
    assert counts["coreference"] >= 300
    assert counts["answer_type"] >= 300
    assert counts["abbreviation"] >= 270


def test_the_answer_types_have_their_shares(gold: dict[int, Record]) -> None:
    shares = Counter(line["answer_type"] for line in gold.values())
    assert 0.08 < shares["null"] / len(gold) < 0.14
    assert 0.05 < shares["long"] / len(gold) < 0.11
    assert 0.04 < (shares["yes"] + shares["no"]) / len(gold) < 0.10
    assert shares["no"] >= 20
    assert shares["short"] / len(gold) > 0.7


def _initials(words: list[str]) -> str:
    return "".join(word[0] for word in words).lower()


def test_links_say_what_their_kind_means(
    records: dict[str, list[Record]], gold: dict[int, Record]
) -> None:
    synonyms = {
        frozenset(pair)
        for _, entries in CONCEPTS.values()
        for one, two in combinations(entries, 2)
        for pair in ((a, b) for a in one.values() for b in two.values())
    }
    pronouns = {form for forms in PRONOUNS.values() for form in forms.values()}
    for record in records["dev"]:
        tokens, question = _tokens(record), record["question_text"].split(" ")
        line = gold[record["example_id"]]
        for link in line["links"]:
            asked = question[slice(*link["question"])]
            told = [w.lower() for w in tokens[slice(*link["document"])]]
            if link["kind"] == "synonyms":
                assert frozenset((*asked, *told)) in synonyms
            elif link["kind"] == "abbreviation":
                assert asked == [_initials(told)]
            elif link["kind"] == "coreference":
                before = " ".join(tokens[: line["answer_sentence"][0]]).lower()
                assert told[0] in pronouns
                assert " ".join(asked) in before
            else:
                assert asked[0] in ("who", "when", "where")
                assert link["document"] == line["short_answer"]


def test_a_pronoun_has_the_gender_of_the_only_person_it_can_mean(
    records: dict[str, list[Record]], gold: dict[int, Record]
) -> None:
    """A person is he or she in all links, never both."""
    by_name: dict[str, set[str]] = {}
    series = {form: name for name, forms in PRONOUNS.items() for form in forms.values()}
    for record in records["train"]:
        for link in gold[record["example_id"]]["links"]:
            if link["kind"] == "coreference":
                entity = " ".join(record["question_text"].split(" ")[slice(*link["question"])])
                pronoun = _tokens(record)[link["document"][0]].lower()
                by_name.setdefault(entity, set()).add(series[pronoun])
    assert len(by_name) > 500
    assert all(len(used) == 1 for used in by_name.values())


def test_many_documents_are_asked_about_the_same_names_in_another_order(
    records: dict[str, list[Record]], gold: dict[int, Record]
) -> None:
    """Both questions of a document begin alike and name the same, with different answers."""
    pairs = 0
    for one, two in zip(records["train"][::2], records["train"][1::2], strict=True):
        names = [
            {w for w in r["question_text"].split(" ") if w.capitalize() in _tokens(r)}
            for r in (one, two)
        ]
        answers = [gold[r["example_id"]].get("short_answer") for r in (one, two)]
        same_start = one["question_text"].split()[0] == two["question_text"].split()[0]
        pairs += names[0] == names[1] and same_start and None not in answers
    assert pairs >= 40


def test_the_sentence_with_most_words_of_the_question_is_rarely_the_answer(
    records: dict[str, list[Record]], gold: dict[int, Record]
) -> None:
    hits = total = 0
    for record in records["dev"]:
        line = gold[record["example_id"]]
        if line["answer_type"] != "short":
            continue
        tokens, asked = _tokens(record), set(record["question_text"].split(" "))
        ends = [i + 1 for i, token in enumerate(tokens) if token in (".", "<P>")]
        sentences = [(a, b) for a, b in pairwise(ends) if tokens[b - 1] == "."]
        best = max(sentences, key=lambda s: len(asked & {t.lower() for t in tokens[slice(*s)]}))
        hits += list(best) == line["answer_sentence"]
        total += 1
    assert hits / total < 0.4


def test_no_reader_without_an_encoder_answers_half_of_the_questions(world: Path) -> None:
    """What a tuned reader must be above; the best of them is far above the first paragraph."""
    questions = list(read_nq(world / "dev.jsonl"))
    readings = [read_lexically(question) for question in questions]
    f1 = {}
    for name in readings[0]:
        its = [one[name] for one in readings]
        judged = [
            judge_short(gold_answers(question), to_prediction(one, question.candidates))
            for question, one in zip(questions, its, strict=True)
        ]
        f1[name] = best_f1(judged, [one.score for one in its]).f1
    assert 30 < f1["sentence-overlap"] < f1["word-overlap"] < 50
    assert 10 < f1["first-paragraph"] < 25


def _sentences(path: Path) -> list[list[list[str]]]:
    blocks = path.read_text().strip().split("\n\n")
    return [
        [line.split("\t") for line in block.split("\n") if not line.startswith("#")]
        for block in blocks
    ]


def test_every_tree_has_one_root_and_no_cycle(world: Path) -> None:
    for split in ("train", "dev"):
        for rows in _sentences(world / f"{split}.conllu"):
            assert all(len(row) == 10 for row in rows)
            assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
            heads = [int(row[6]) for row in rows]
            assert heads.count(0) == 1
            assert [row[7] == "root" for row in rows] == [head == 0 for head in heads]
            for node in range(1, len(rows) + 1):
                steps = 0
                while node:
                    node, steps = heads[node - 1], steps + 1
                    assert steps <= len(rows)


def test_trees_use_many_tags_and_relations_and_each_sentence_once(world: Path) -> None:
    rows = [row for rows in _sentences(world / "dev.conllu") for row in rows]
    assert len({row[3] for row in rows}) >= 12
    assert len({row[7] for row in rows}) >= 24
    texts = [line for line in (world / "dev.conllu").read_text().split("\n") if "# text" in line]
    assert len(texts) == len(set(texts)) > 1500


def test_the_reader_of_framenet_reads_frames_of_the_sentences(world: Path) -> None:
    examples, funnel = build_frames("frames", world)
    assert funnel.frames.iloc[0] > 600
    assert len(examples.examples) > 100
    for row in examples.examples.itertuples():
        element, target = examples.spans.iloc[row.span1], examples.spans.iloc[row.span2]
        text = examples.texts.words1[target.text]
        assert target.end == target.start + 1
        assert element.end <= target.start - 1 or element.start >= target.end + 1
        assert text[-1] == "."
    frames = read_framenet(world / "frames")
    by_name = {element.name: element.core for one in frames for element in one.elements}
    assert [by_name[name] for name in ("Agent", "Partner", "When", "Town")] == [True, True] + [
        False
    ] * 2
    trees = {" ".join(row[1] for row in rows): rows for rows in _sentences(world / "dev.conllu")}
    for one in frames:
        ((start, end),) = one.targets
        assert (end - start, trees[" ".join(one.words)][start][7]) == (1, "root")


def test_there_are_enough_relations_each_told_and_asked_in_three_ways() -> None:
    assert len(relations()) >= 25
    for relation in relations():
        assert len(set(relation.told)) >= 3, relation.name
        assert len(set(relation.asked)) >= 3, relation.name
        asked = {slot for slot, _ in relation.asked}
        assert asked <= {"a", "yes", *relation.slots}, relation.name


def _slot(name: str, label: str) -> Tokens:
    return words({"a": "the council", "b": "Otto"}[name])


def _concept(name: str, form: str) -> Token:
    upos, entries = CONCEPTS[name]
    return Token(entries[0][form], upos)


def test_a_template_is_rendered_to_words_tags_and_heads() -> None:
    tokens = render("@b:nsubj was %defeat.en (obl:agent by @a{k=v})", _slot, _concept)
    assert [(t.form, t.upos, t.head, t.deprel) for t in tokens] == [
        ("Otto", "PROPN", 2, "nsubj:pass"),
        ("was", "AUX", 2, "aux:pass"),
        ("defeated", "VERB", -1, "root"),
        ("by", "ADP", 5, "case"),
        ("the", "DET", 5, "det"),
        ("council", "PROPN", 2, "obl:agent"),
    ]


def test_a_template_word_keeps_its_further_layers() -> None:
    tokens = render("@b:nsubj *slept (obl at{psrole=Locus} home/N)", _slot, _concept)
    assert tokens[2].layers == (("psrole", "Locus"),)


def test_an_unknown_word_in_a_template_is_named() -> None:
    with pytest.raises(GrammarError, match="'zebra'"):
        parse("the zebra")


def test_a_person_has_a_full_and_a_short_name() -> None:
    somebody = person("e1", "Ida Kern", "she", "physician")
    assert [t.form for t in somebody.name] == ["Ida", "Kern"]
    assert [t.form for t in somebody.short] == ["Kern"]


@pytest.mark.shared_data
def test_synonyms_of_a_concept_share_a_wordnet_synset(shared_data: Path) -> None:
    (archive,) = (shared_data / "lexical" / "WordNet-3.0").glob("*.tar.xz")
    synsets: dict[str, list[set[str]]] = {}
    with tarfile.open(archive) as packed:
        for member in packed:
            part, _, pos = Path(member.name).name.partition(".")
            if part == "data" and pos in ("noun", "verb", "adj"):
                file = packed.extractfile(member)
                assert file is not None
                lines = file.read().decode().split("\n")
                synsets[pos] = [_members(line) for line in lines if line and line[0] != " "]
    for upos, entries in CONCEPTS.values():
        pos = {"NOUN": "noun", "VERB": "verb", "ADJ": "adj"}[upos]
        lemmas = [entry[""] for entry in entries]
        for pair in combinations(lemmas, 2):
            assert any(set(pair) <= members for members in synsets[pos]), pair


def _members(line: str) -> set[str]:
    fields = line.split(" ")
    members = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    return {member.partition("(")[0] for member in members}
