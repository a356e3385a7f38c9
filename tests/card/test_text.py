"""Words of others stand in a card as they are and do nothing; the owner's own words survive."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from culturepark.card.facts import gather_facts
from culturepark.card.notes import MADE, drop_comments, read_notes
from culturepark.card.settings import split_card
from culturepark.card.text import Markup, escape, fence, flatten, make_table, quote_code, strip_secrets
from culturepark.card.write import write_card
from culturepark.errors import DataError
from culturepark.records import Sample
from culturepark.runs.folder import Run
from tests.card.conftest import TERMS

NASTY = "<script>alert(1)</script> | [x](http://evil.org) ![i](a) `code` **b** @you\n# head\n<!-- c --> \u202eabc &lt;"


def test_nothing_of_markup_is_left() -> None:
    shown = escape(NASTY)
    assert not re.search(r"(?<!\\)[|`*\[\]#@!]", shown.replace("&lt;", "").replace("&gt;", "").replace("&amp;", ""))
    assert "<" not in shown and "http:" not in shown and "\n" not in shown and "\u202e" not in shown
    assert escape("1. first") == "1\\. first" and escape("- item") == "\\- item"
    assert escape("-0.5 to 3.2") == "-0.5 to 3.2" and escape("می\u200cخواهم") == "می\u200cخواهم"


def test_markup_is_not_escaped_twice() -> None:
    assert escape(Markup("`a`")) == "`a`"
    assert make_table(("a",), [(Markup("`x`"),), ("a|b",)]).splitlines()[2:] == ["| `x` |", "| a\\|b |"]


def test_code_cannot_end_its_own_block_or_cell() -> None:
    assert fence("a\n```\nb").startswith("````\n")
    assert quote_code("a`b|c\nd") == "`a'b\\|c d`" and quote_code("  ") == "-"
    assert len(flatten("x" * 500, 100)) == 100


@pytest.mark.parametrize("key", ["sk-abcdefghijklmnopqrstu", "hf_ABCDEFGHIJKLMNOPQRSTUV", "gsk_0123456789abcdef"])
def test_keys_never_reach_the_card(judged: Run, key: str) -> None:
    assert key not in strip_secrets(f"model {key} here")
    judged.manifest["config"].update(
        model=key, audience=f"people {key}", base_url="http://10.1.2.3:9/v1", extra_body={"api_key": key}
    )
    write_card(judged.path, judged, None, **TERMS)
    for name in ("README.md", "CITATION.cff", "croissant.json"):
        text = (judged.path / name).read_text(encoding="utf-8")
        assert key not in text and "10.1.2.3" not in text


def test_nasty_words_of_personas_topics_and_replies(judged: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = list(judged.samples())

    def spoil(sample: Sample) -> Sample:
        chat = tuple({**m, "content": NASTY} for m in sample.messages)
        return sample.model_copy(
            update={"messages": chat, "topic": NASTY, "answer_label": NASTY, "kind": NASTY, "id": NASTY}
        )

    monkeypatch.setattr(judged, "samples", lambda: map(spoil, samples))
    text = write_card(judged.path, judged, None, **{**TERMS, "title": NASTY[:80], "authors": [NASTY[:90]]}).read_text()
    _, body = split_card(text)
    plain = re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", body, flags=re.DOTALL))
    assert "<script" not in plain and "http://evil" not in plain and "\n# head" not in body
    assert not re.search(r"(?<!\\)\[x(?<!\\)\]\(", plain)
    for line in body.splitlines():
        if line.startswith("|") and line.count("|") > 2:
            cells = re.split(r"(?<!\\)\|", line)
            assert len(cells) > 2
    assert gather_facts(judged, None).rows == len(samples)


def test_the_owners_words_survive(judged: Run) -> None:
    path = write_card(judged.path, judged, None, **TERMS)
    text = path.read_text(encoding="utf-8")
    own = "Trained a *1B* model: <b>0.31</b> | 0.42\n\n## My heading\n<!-- mine -->"
    text = text.replace("<!-- yours: baseline -->\n", f"<!-- yours: baseline -->\n{own}\n")
    text += "\n<!-- yours: my own part -->\nKept too.\n<!-- end of yours -->\n"
    text = text.replace("## Purpose\n", "## Purpose\n\nOverwritten.\n")
    path.write_text(text, encoding="utf-8")
    for _ in range(2):
        write_card(judged.path, judged, None)
        found = path.read_text(encoding="utf-8")
        assert read_notes(found) == {"baseline": own, "my own part": "Kept too."}
        assert found.index("## Quick start") < found.index("Trained a *1B*") < found.index("## Composition")
        assert "Overwritten." not in found and found.count(MADE) == 1


def test_a_note_without_its_end_is_refused_and_nothing_is_lost(judged: Run) -> None:
    path = write_card(judged.path, judged, None, **TERMS)
    broken = path.read_text().replace("<!-- yours: gaps -->\n<!-- end of yours -->", "<!-- yours: gaps -->\nMine.")
    path.write_text(broken)
    with pytest.raises(DataError, match="the part .*gaps .*has no"):
        write_card(judged.path, judged, None)
    assert path.read_text() == broken


def test_a_full_disk_leaves_the_old_card(judged: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_card(judged.path, judged, None, **TERMS)
    before = path.read_bytes()

    def fail(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("culturepark.card.write.replace_file", fail)
    with pytest.raises(DataError, match="the disk is full"):
        write_card(judged.path, judged, None, title="Another")
    assert path.read_bytes() == before


def test_comments_are_dropped_in_one_pass() -> None:
    assert drop_comments("a<!-- b -->c<!-- d") == "ac"
    assert drop_comments("<!--" * 50_000) == ""
