"""Each speaker's own view of the talk: a system prompt, a private note, and a history that only grows.

The stable part comes first and nothing before the last message ever changes, so that a server's
prefix cache is hit on every turn.
"""

from __future__ import annotations

from culturepark.dialogue.state import DialogueContext, DialogueState
from culturepark.llm.base import Message
from culturepark.records import Persona, Turn

SEATS = ("a", "b", "c", "d")


def message(role: str, content: str) -> Message:
    """One chat message."""
    return {"role": role, "content": content}


def note_view(context: DialogueContext, seat: str) -> list[Message]:
    """What a speaker sees before the first word."""
    if ("note", seat) not in context.made:
        holes = {"discuss": context.topic.discuss, "view": context.personas[seat].stance.view}
        context.made["note", seat] = context.prompts.render("note", holes)
    return [*_beginning(context, seat), message("user", context.made["note", seat])]


def _beginning(context: DialogueContext, seat: str) -> list[Message]:
    view = [message("system", system_prompt(context, seat))]
    for heard, said in context.prompts.examples:
        view += [message("user", heard), message("assistant", said)]
    return view


def speaker_view(context: DialogueContext, state: DialogueState, seat: str) -> list[Message]:
    """What a speaker sees when the turn comes: own note, own words as assistant, others' words as user."""
    if context.prompts.size == "compact":
        return _short_view(context, state, seat)
    view = [*note_view(context, seat), message("assistant", state["notes"][seat].text)]
    heard: list[Turn] = []
    first = True
    for turn in state["turns"]:
        if turn.speaker == seat:
            view.append(message("user", _cue(context, seat, heard, first)))
            view.append(message("assistant", turn.text))
            heard, first = [], False
        else:
            heard.append(turn)
    view.append(message("user", _cue(context, seat, heard, first)))
    return view


def _short_view(context: DialogueContext, state: DialogueState, seat: str) -> list[Message]:
    """For very small models, which copy a history instead of going on from it: only what was said last."""
    heard = next((t for t in reversed(state["turns"]) if t.speaker != seat), None)
    holes = {"discuss": context.topic.discuss, "view": context.personas[seat].stance.view}
    if heard is None:
        cue = _cue(context, seat, [], True)
    else:
        cue = context.prompts.render("reply", {**holes, "speaker": heard.name, "text": heard.text})
    return [*_beginning(context, seat), message("user", cue)]


def _cue(context: DialogueContext, seat: str, heard: list[Turn], first: bool) -> str:
    occasion = context.scene.occasion if context.scene else ""
    holes = {"discuss": context.topic.discuss, "occasion": occasion}
    if not heard:
        opening = {"others": name_others(context, seat), "view": context.personas[seat].stance.view}
        return context.prompts.render("open", {**holes, **opening})
    if len(context.personas) > 2:
        lines = "\n\n".join(f"{turn.name}: {turn.text}" for turn in heard)
        return context.prompts.render("listen_panel", {"lines": lines, "name": context.personas[seat].name})
    text = heard[-1].text
    if first:
        return context.prompts.render("listen", {**holes, "speaker": heard[-1].name, "text": text})
    return text


def system_prompt(context: DialogueContext, seat: str) -> str:
    """The system prompt of one speaker. Only the speaker's own stance is in it."""
    if ("speaker", seat) not in context.made:
        context.made["speaker", seat] = _make_system_prompt(context, seat)
    return context.made["speaker", seat]


def _make_system_prompt(context: DialogueContext, seat: str) -> str:
    persona, scene = context.personas[seat], context.scene
    related = "\n".join(f'- "{s.view}"' for s in persona.related) or "- (nothing that matters here)"
    return context.prompts.render(
        "speaker",
        {
            **describe_persona(persona),
            "title": lower_first(context.topic.title),
            "discuss": context.topic.discuss,
            "view": persona.stance.view,
            "related": related,
            "language": context.language.id.capitalize(),
            "place": scene.place if scene else "",
            "relationship": scene.relationship if scene else "",
            "occasion": scene.occasion if scene else "",
            "mood": scene.mood if scene else "",
            "want": scene.wants[min(SEATS.index(seat), len(scene.wants) - 1)].text if scene else "",
            "others": name_others(context, seat),
        },
    )


def describe_persona(persona: Persona) -> dict[str, str]:
    """The holes of a prompt that describe a person."""
    return {
        "name": persona.name,
        "age": str(persona.age),
        "gender": "a woman" if persona.gender == "female" else "a man",
        "occupation": persona.occupation,
        "home": persona.home,
        "country": persona.country_name,
        "household": persona.household,
        "religiosity": persona.religiosity,
        "interests": " and ".join(persona.interests),
        "style": persona.style,
        "facts": "\n".join(f"- {text}" for text in persona.fact_texts),
    }


def name_others(context: DialogueContext, seat: str) -> str:
    """Who else is there: names and countries, as one phrase."""
    people = [f"{p.name} from {p.country_name}" for s, p in context.personas.items() if s != seat]
    return people[0] if len(people) == 1 else ", ".join(people[:-1]) + " and " + people[-1]


def moderator_view(context: DialogueContext, state: DialogueState, seat: str) -> list[Message]:
    """What the moderator sees: the whole talk so far, in lines, then whom to hand over to."""
    scene = context.scene
    people = "\n".join(f"- {p.name}, {p.age}, {p.occupation}, {p.country_name}" for p in context.personas.values())
    system = context.prompts.render(
        "moderator",
        {
            "place": scene.place if scene else "",
            "occasion": scene.occasion if scene else "",
            "mood": scene.mood if scene else "",
            "people": people,
            "title": lower_first(context.topic.title),
            "discuss": context.topic.discuss,
            "language": context.language.id.capitalize(),
        },
    )
    view: list[Message] = [message("system", system)]
    heard: list[str] = []
    for turn in state["turns"]:
        if turn.speaker == "moderator":
            view += [message("user", "\n\n".join(heard) or "(The table is quiet.)"), message("assistant", turn.text)]
            heard = []
        else:
            heard.append(f"{turn.name}: {turn.text}")
    lines = "\n\n".join(heard) or "(The table is quiet.)"
    view.append(
        message("user", context.prompts.render("moderate", {"lines": lines, "next": context.personas[seat].name}))
    )
    return view


def classic_view(context: DialogueContext, state: DialogueState, seat: str, guide: str) -> list[Message]:
    """The paper's single shared thread: one system text, then an order before each turn (provenance: code)."""
    delegate, contact = context.personas["a"], context.personas["b"]
    view = [
        message(
            "system",
            context.prompts.render(
                "classic",
                {
                    "contact": contact.name,
                    "contact_country": contact.country_name,
                    "delegate": delegate.name,
                    "delegate_country": delegate.country_name,
                    "statement": context.topic.statement,
                    "view": delegate.stance.view,
                    "discuss": context.topic.discuss,
                    "language": context.language.id.capitalize(),
                },
            ),
        )
    ]
    orders = [*(classic_guide(t.index, context.classic_chat) for t in state["turns"]), guide]
    for turn, order in zip(state["turns"], orders, strict=False):
        cue = context.prompts.render("classic_turn", {"name": turn.name, "guide": order})
        view += [message("user", cue), message("assistant", turn.text)]
    cue = context.prompts.render("classic_turn", {"name": context.personas[seat].name, "guide": guide})
    return [*view, message("user", cue)]


# What a scripted moderator says before each turn, told in our own words (provenance: code, reworded).
_DELEGATE_GUIDES = (
    "Say what you think about the subject and give your reasons.",
    "Do you agree with what was just said? Give further reasons.",
    "Tell more about how things are done where you come from.",
    "What is your opinion on that?",
    "Do you have further interesting thoughts on it?",
    "Is there something from your own culture you would like to bring in?",
    "Is there anything else from your own culture you would like to bring in?",
)
_CONTACT_GUIDES = (
    "Say what you think about it, give your reasons, and show that you welcome other views.",
    "What do you think, and why?",
    "What is your opinion?",
)


def classic_guide(index: int, chat: str) -> str:
    """The order given before one turn of the classic protocol; free chat only asks for an answer."""
    if chat == "free":
        return "Begin the talk." if index == 0 else "Answer what was just said."
    guides = _DELEGATE_GUIDES if index % 2 == 0 else _CONTACT_GUIDES
    return guides[min(index // 2, len(guides) - 1)]


def lower_first(text: str) -> str:
    """The text with a small first letter, unless its first word is an abbreviation."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    return text if len(first) > 1 and first.isupper() else text[:1].lower() + text[1:]
