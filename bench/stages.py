"""How fast made-up texts pass the stages that need no model, and how much memory that takes.

    python -m bench.stages [--texts 100000] [--encoder auto] [--skip semantic_copies] [--seed 1]

Texts are English, about 40 words, made from a seed; one in twenty is a near copy of an earlier one. They come one by
one; what is kept is remembered as in a run. Per stage: texts a second, texts dropped, planted copies among them, and
how much the process grew inside it.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from culturepark.language import find_language
from culturepark.refine.candidate import Candidate, StageContext
from culturepark.refine.encoder import open_encoder
from culturepark.refine.stages import STAGES
from culturepark.refine.stages.benchmarks import Benchmarks
from culturepark.refine.stages.near_copies import NearCopies
from culturepark.refine.stages.semantic_copies import Meanings

GROUPS = ("text", "run", "cell")
CULTURES, TOPICS, ANSWERS, COPIES = 14, 60, 4, 0.05
REMEMBERED = 2000  # earlier texts a planted copy may be taken from

PEOPLE = (
    "aunt uncle brother sister grandmother grandfather neighbour landlady teacher baker nurse foreman cousin nephew "
    "daughter son mother father friend clerk tailor driver gardener librarian carpenter widow student plumber"
).split()
PLACES = (
    "kitchen market station garden workshop harbour library stairwell courtyard schoolyard clinic bakery office bridge "
    "orchard attic ferry tram cellar square mill laundry cinema chapel playground allotment"
).split()
THINGS = (
    "keys soup letters bread lamps shoes blankets books bicycles money seeds stories songs tools apples photographs "
    "recipes chairs coats medicine radios maps tickets candles flowers rice umbrellas newspapers pots windows"
).split()
DEEDS = (
    "shared|lent me|carried|repaired|forgot|counted|hid|paid for|gave away|asked about|cleaned|collected|divided|sold|"
    "brought back|looked after|sorted|argued over|waited for|wrapped up|lost|kept"
).split("|")
TIMES = (
    "last winter|on Sundays|after the flood|during the strike|before the feast|every spring|when I was nine|at night|"
    "in the first year|after the funeral|while it rained|the day we moved|on market days|when the power failed"
).split("|")
LESSONS = (
    "trust grows slowly|rules need patience|work is not everything|nobody should wait alone|quarrels can be spoken of|"
    "children watch what we do|promises cost something|strangers become familiar|a vote is a small duty|"
    "faith is a private matter|a street needs open doors|privacy deserves a curtain|schools must listen|"
    "help should be returned|age brings no wisdom by itself|money changes a table|silence is an answer too"
).split("|")
FRAMES = (
    "My {a} {d} the {t} in the {p} {w}, and I {e} that {l}.",
    "{W}, the {a} from the {p} {d} our {t}; from this I took that {l}.",
    "I {e} that {l}, because a {a} {d} my {t} near the {p} {w}.",
    "What my {a} {d} {w} was not only the {t} of the {p}, and so I {e} that {l}.",
    "Nobody at the {p} noticed how my {a} {d} the {t} {w}.",
    "Since my {a} {d} {t} at the {p} {w}, I {e} that {l}.",
    "There were {t} in every {p} {w}, and only one {a} {d} them.",
)
MINDS = "believe|came to think|have learned|feel|would say|suspect|noticed|told my children|still hope|know now".split(
    "|"
)
OPENERS = ("Honestly, ", "Well, ", "To be frank, ", "As I see it, ", "Look, ")


def make_text(chance: random.Random) -> str:
    """Three sentences of chance words."""
    found = []
    for frame in chance.sample(FRAMES, 3):
        when = chance.choice(TIMES)
        words = {"a": PEOPLE, "p": PLACES, "t": THINGS, "d": DEEDS, "l": LESSONS, "e": MINDS}
        filled = {k: chance.choice(v) for k, v in words.items()}
        found.append(frame.format(w=when, W=when[0].upper() + when[1:], **filled))
    return " ".join(found)


def make_copy(text: str, chance: random.Random) -> str:
    """The same text with one small edit: an opener, another noun, sentences in another order, other marks."""
    kind = chance.randrange(4)
    if kind == 0:
        return chance.choice(OPENERS) + text[0].lower() + text[1:]
    if kind == 1:
        words = text.split()
        nouns = [k for k, w in enumerate(words) if w.strip(".,;") in (*PEOPLE, *PLACES, *THINGS)]
        place = chance.choice(nouns)
        words[place] = words[place].replace(words[place].strip(".,;"), chance.choice(PEOPLE + PLACES + THINGS))
        return " ".join(words)
    if kind == 2:
        first, _, rest = text.partition(". ")
        return f"{rest} {first}."
    return text.replace(",", "").replace(";", ",")[:-1] + "!"


def make_candidates(count: int, seed: int) -> Iterator[tuple[Candidate, bool]]:
    """Candidates one by one, and whether each is a planted copy."""
    chance = random.Random(seed)
    earlier: list[str] = []
    for number in range(count):
        is_copy = bool(earlier) and chance.random() < COPIES
        text = make_copy(chance.choice(earlier), chance) if is_copy else make_text(chance)
        if not is_copy and len(earlier) < REMEMBERED:
            earlier.append(text)
        elif not is_copy:
            earlier[chance.randrange(REMEMBERED)] = text
        culture, topic = f"c{chance.randrange(CULTURES)}", f"t{chance.randrange(TOPICS)}"
        answer = chance.randrange(ANSWERS)
        yield Candidate(f"s{number}", text, "What matters here?", culture, "", topic, answer, "opinion"), is_copy


@dataclass
class Tally:
    """What happened in one stage."""

    seconds: float = 0.0
    seen: int = 0
    copies: int = 0
    grown: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)


def read_memory() -> float:
    """Resident megabytes of this process."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize() / 1e6
    return read_peak()


def read_peak() -> float:
    """The most resident megabytes so far (the system counts in kilobytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def make_benchmarks() -> Benchmarks:
    """A file of 2,000 made-up items that no text holds, read as a user's would be; compared by words only."""
    chance = random.Random("exam")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exam.jsonl"
        rows = ({"question": " ".join(chance.choices(PEOPLE + PLACES + THINGS, k=40))} for _ in range(2000))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return Benchmarks.load([path])


def run(count: int, seed: int, encoder_name: str, skip: set[str]) -> dict[str, Tally]:
    """Put the texts through the stages, printing progress; a dropped text goes no further."""
    pack = find_language("en")
    assert pack is not None
    encoder = open_encoder(encoder_name)
    near, meanings = NearCopies(), Meanings(encoder) if encoder else None
    tools = {"near_copies": near, "benchmarks": make_benchmarks(), "semantic_copies": meanings}
    context = StageContext(pack, tools={k: v for k, v in tools.items() if v is not None})
    order = [n for g in GROUPS for n, s in STAGES.items() if s.group == g and n not in skip]
    tallies: dict[str, Tally] = defaultdict(Tally)
    for number, (candidate, is_copy) in enumerate(make_candidates(count, seed), 1):
        dropped = False
        for name in order:
            tally, before = tallies[name], read_memory() if number % 50 == 0 else 0.0
            start = time.perf_counter()
            ruling = STAGES[name].check(candidate, context)
            if ruling.kept and name == "near_copies":
                near.add(candidate.id, candidate.text, "en")
            if ruling.kept and name == "semantic_copies" and meanings is not None:
                meanings.remember(candidate.cell, "en", candidate.id, candidate.text)
            tally.seconds += time.perf_counter() - start
            tally.seen += 1
            tally.grown += (read_memory() - before) * 50 if before else 0.0
            if not ruling.kept:
                tally.reasons[ruling.reason] += 1
                tally.copies += is_copy
                dropped = True
                break
        tallies["(all)"].seen += 1
        tallies["(all)"].copies += is_copy
        tallies["(all)"].reasons["dropped"] += dropped
        if number % max(1, count // 10) == 0:
            print(f"  {number:>8,} texts, {read_memory():,.0f} MB", flush=True)
    return tallies


def main() -> None:
    """Read the flags, run, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--encoder", default="auto")
    parser.add_argument("--skip", action="append", default=[])
    flags = parser.parse_args()
    empty = read_memory()
    start = time.perf_counter()
    tallies = run(flags.texts, flags.seed, flags.encoder, set(flags.skip))
    wall = time.perf_counter() - start
    total = tallies.pop("(all)")
    print(
        f"\n{'stage':<16}{'texts/s':>10}{'seconds':>9}{'seen':>9}{'dropped':>9}{'copies':>8}{'grown MB':>10}  reasons"
    )
    for name, tally in tallies.items():
        reasons = ", ".join(f"{r} {n}" for r, n in tally.reasons.most_common(4))
        speed = tally.seen / tally.seconds if tally.seconds else 0.0
        print(
            f"{name:<16}{speed:>10,.0f}{tally.seconds:>9.1f}{tally.seen:>9,}{sum(tally.reasons.values()):>9,}"
            f"{tally.copies:>8,}{tally.grown:>10.0f}  {reasons}"
        )
    print(
        f"\n{total.seen:,} texts in {wall:,.0f} s ({total.seen / wall:,.0f}/s) on one thread of work; "
        f"{total.reasons['dropped']:,} dropped, {total.copies:,} copies planted; "
        f"memory {empty:,.0f} MB at the start, {read_peak():,.0f} MB at most"
    )


if __name__ == "__main__":
    main()
