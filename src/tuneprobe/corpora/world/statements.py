"""Statements: the templates of the questions, turned into sentences that say the answer.

    when did @a:nsubj *visit @b:obj            @a:nsubj *visited @b:obj @when:obl
    (obl:agent by whom) was @a:nsubj %write.en @a:nsubj was %write.en (obl:agent by @b)

So one fact has wordings besides those in which a paragraph tells it.
"""

import re
from functools import cache

from tuneprobe.corpora.world.relations import Relation

_SUBJECT = r"(?P<subject>@\w+:nsubj|\(nsubj (?:[^()]|\([^()]*\))*\))"
_WHO = re.compile(r"who (?P<rest>[%*](?!agreed)\S+.*)")
_AGENT = re.compile(rf"\(obl:agent by whom\) was {_SUBJECT} (?P<rest>.*)")
_WAS = re.compile(rf"(?P<wh>when|where|\(obl in what/D year/N\)) was {_SUBJECT} (?P<rest>.*)")
_DID = re.compile(
    r"(?P<wh>when |where |\(obl in what/D year/N\) |who:obj |what:obj |)did "
    rf"{_SUBJECT} (?P<verb>[%*]\w+)(?P<rest>.*)"
)
_PAST = {
    "write": "wrote",
    "leave": "left",
    "win": "won",
    "take": "took",
    "study": "studied",
    "sell": "sold",
    "sue": "sued",
    "receive": "received",
    "move": "moved",
}
_ELSEWHERE = ("move", "seat", "trip", "letter", "plans")  # `where` is no place of the deed itself
_WITH_ARTICLE = ("device", "building")


@cache
def statements(relation: Relation) -> tuple[str, ...]:
    """Templates of sentences that state a fact of the relation, in the notation of grammar.py."""
    turned = (_statement(relation.name, slot, template) for slot, template in relation.asked)
    return tuple(sorted({template for template in turned if template}))


def _statement(relation: str, slot: str, template: str) -> str:
    """The question with its slot filled; empty where that makes no good sentence."""
    if match := _WHO.fullmatch(template):
        return f"@{slot}:nsubj {match['rest']}"
    if match := _AGENT.fullmatch(template):
        return f"{match['subject']} was {match['rest']} (obl:agent by @{slot})"
    if match := _WAS.fullmatch(template) or _DID.fullmatch(template):
        if match["wh"].strip() == "where" and relation in _ELSEWHERE:
            return ""
        object, adverbial = _answer(match["wh"].strip(), slot)
        verb = f"{_past(match['verb'])}{object}" if match.re is _DID else "was"
        return " ".join(f"{match['subject']} {verb} {match['rest'].strip()} {adverbial}".split())
    return ""


def _answer(wh: str, slot: str) -> tuple[str, str]:
    """The object or the adverbial that answers a question word."""
    if wh in ("who:obj", "what:obj"):
        return (f" (obj a @{slot})" if slot in _WITH_ARTICLE else f" @{slot}:obj"), ""
    if wh == "where":
        return "", f"(obl in @{slot})"
    return "", "@when:obl" if wh else ""


def _past(verb: str) -> str:
    base = verb[1:]
    return f"{verb}.ed" if verb[0] == "%" else "*" + _PAST.get(base, base + "ed")
