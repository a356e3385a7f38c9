"""Prompts: checked holes, a user's folder, hashes, and values that are never expanded again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.errors import DataError
from culturepark.prompts import HOLES, NEEDED, SIZES, Prompts


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("size", SIZES)
def test_the_packaged_prompts_fit_their_holes(size: str) -> None:
    prompts = Prompts(size)
    for name, holes in HOLES.items():
        text = prompts.render(name, {hole: f"<<{hole}>>" for hole in holes})
        assert "${" not in text
        assert all(f"<<{hole}>>" in text for hole in NEEDED.get(name, ()))
    assert set(prompts.hashes) == set(HOLES)
    assert all(NEEDED[name] <= HOLES[name] for name in NEEDED)


def test_the_full_speaker_prompt_uses_every_part_of_a_person() -> None:
    text = Prompts("full").render("speaker", {hole: f"<<{hole}>>" for hole in HOLES["speaker"]})
    assert [h for h in HOLES["speaker"] if f"<<{h}>>" not in text and h != "discuss"] == []


def test_the_users_file_wins_and_the_rest_stays(tmp_path: Path) -> None:
    write(tmp_path, "fix", "Once more: ${reason}!")
    prompts, packaged = Prompts("full", tmp_path), Prompts("full")
    assert prompts.render("fix", {"reason": "it was empty"}) == "Once more: it was empty!"
    assert {n for n in HOLES if prompts.hashes[n] != packaged.hashes[n]} == {"fix"}


def test_a_size_of_the_users_folder_wins_over_its_top(tmp_path: Path) -> None:
    write(tmp_path, "fix", "top ${reason}")
    write(tmp_path, "compact/fix", "small ${reason}")
    assert Prompts("compact", tmp_path).text("fix") == "small ${reason}"
    assert Prompts("full", tmp_path).text("fix") == "top ${reason}"


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("fix", "Say it again, ${reson}.", "unknown hole ${reson}; it may use reason"),
        ("fix", "Say it again, $reson.", "unknown hole ${reson}"),
        ("examples", "${name} is here", "unknown hole ${name}"),
        ("fix", "That costs $5, ${reason}.", "a '$' stands alone; write '$$'"),
        ("fix", "${reason} ${", "a '$' stands alone"),
        ("fix", "${not a name}", "a '$' stands alone"),
        ("listen", "Somebody spoke about ${discuss}.", "the hole ${text} is missing"),
        ("listen_panel", "Go on, ${name}.", "the hole ${lines} is missing"),
        ("moderate", "${lines}", "the hole ${next} is missing"),
        ("extract", "${people} ${wanted}", "the hole ${example} is missing"),
        ("extract", "${transcript} ${people} ${wanted} ${example}", "unknown hole ${transcript}"),
        ("talk", "${title}", "the hole ${transcript} is missing"),
        ("harm", "${form}", "the hole ${claims} is missing"),
        ("harm", "${claims} ${form} ${audience}", "unknown hole ${audience}"),
        ("fit", "${claims} ${form}", "the hole ${audience} is missing"),
        ("speaker", "", "the hole ${name} is missing"),
        ("classic_turn", "Now you are ${name}.", "the hole ${guide} is missing"),
    ],
)
def test_a_wrong_prompt_is_named_with_its_fault(tmp_path: Path, name: str, text: str, fault: str) -> None:
    path = write(tmp_path, name, text)
    with pytest.raises(DataError) as caught:
        Prompts("full", tmp_path)
    assert str(path) in str(caught.value) and fault in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "fix.md").write_bytes(b"\xff\xfe ${reason}")
    with pytest.raises(DataError, match=r"fix\.md: cannot be read as UTF-8"):
        Prompts("full", tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        Prompts("full", tmp_path / "nowhere")


def test_a_hole_without_a_value_is_an_error() -> None:
    with pytest.raises(DataError, match="'listen'.*'speaker'"):
        Prompts("full").render("listen", {"discuss": "x", "occasion": "y", "text": "z"})


@given(
    st.text(max_size=80) | st.sampled_from(["$", "$$", "${reason}", "$reason", "${", "100 $", "{reason}", "%s", "\\1"])
)
def test_values_are_put_in_as_they_are(value: str) -> None:
    before, after = Prompts("full").text("fix").split("${reason}")
    assert Prompts("full").render("fix", {"reason": value}) == before + value + after


def test_hashes_follow_the_text_alone(tmp_path: Path) -> None:
    packaged = Prompts("full")
    write(tmp_path, "fix", packaged.text("fix") + "\n\n")
    assert Prompts("full", tmp_path).hashes == packaged.hashes
    write(tmp_path, "fix", packaged.text("fix") + " Please.")
    assert Prompts("full", tmp_path).hashes["fix"] != packaged.hashes["fix"]
    assert Prompts("compact").hashes["speaker"] != packaged.hashes["speaker"]
    assert all(len(h) == 16 and int(h, 16) >= 0 for h in packaged.hashes.values())


def test_examples_are_pairs(tmp_path: Path) -> None:
    assert Prompts("full").examples == ()
    write(tmp_path, "examples", "How much?\n---\nTwo $$.\n---\nWhere?\n---\nHere.")
    assert Prompts("full", tmp_path).examples == (("How much?", "Two $."), ("Where?", "Here."))
    assert all(heard and said for heard, said in Prompts("compact").examples)


def test_a_misspelt_file_of_ones_own_is_named(tmp_path: Path) -> None:
    (tmp_path / "speeker.md").write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match=r"speeker\.md: no prompt has this name \(did you mean 'speaker'"):
        Prompts("full", tmp_path)


LANGUAGES = ("english", "arabic", "korean", "chinese", "spanish", "german", "portuguese", "turkish", "bengali")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_its_own_worked_examples(language: str) -> None:
    """Two for stance, two for facts, one for harm, with the words the answers must use."""
    lines = Prompts("full").refine_examples(language).splitlines()
    assert [line.rpartition("-> ")[2].split("：")[0].split(":")[0] for line in lines] == [
        "follows", "contradicts", "contradicted, F1", "unknown, none", "4"
    ]  # fmt: skip
    others = {Prompts("full").refine_examples(other) for other in LANGUAGES}
    assert len(others) == len(LANGUAGES)


def test_a_language_without_worked_examples_is_shown_the_english_ones() -> None:
    prompts = Prompts("full")
    assert prompts.refine_examples("welsh") == prompts.refine_examples("english") != ""


def test_small_models_get_short_questions() -> None:
    full, compact = Prompts("full"), Prompts("compact")
    for name in ("verify", "verify_again", "rewrite", "harm", "fit", "extract", "refine_system"):
        assert len(compact.text(name)) < 300 and len(compact.text(name)) < 0.5 * len(full.text(name)), name
