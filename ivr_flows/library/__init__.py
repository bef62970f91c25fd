"""What comes with callwright: templates of flows, general prompts, and the recorded pieces of speech.

`prompts/` is laid out like a prompts directory: `say/<language>/<piece>.wav`, `general/<language>/<name>.wav`, and the
music for those who wait.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ivr_flows.instructions import PromptFile

_HERE = Path(__file__).parent

TEMPLATES = (
    "main",
    "opening_hours",
    "collect_and_confirm",
    "menu_with_queues",
    "day_and_night",
    "holiday",
    "problem_notice",
    "callback_offer",
    "survey",
    "identification",
    "language_choice",
    "waiting",
    "waiting_with_offer",
)
"""The names of the templates, which are the ids of their flows (docs/templates.md)."""

GENERAL: dict[str, dict[str, str]] = {
    "welcome": {
        "cs": "Dobrý den, vítejte na naší lince.",
        "en": "Hello, and welcome to our line.",
    },
    "main-menu": {
        "cs": "Pro spojení s operátorem stiskněte jedničku. Pro přečtení čísla, ze kterého voláte, stiskněte dvojku.",
        "en": "To speak to an agent, press one. To hear the number that you are calling from, press two.",
    },
    "your-number": {"cs": "Voláte z čísla", "en": "You are calling from"},
    "number-hidden": {"cs": "Vaše číslo je skryté.", "en": "Your number is hidden."},
    "enter-number": {
        "cs": "Zadejte své zákaznické číslo a ukončete je křížkem.",
        "en": "Enter your customer number, and end with the hash key.",
    },
    "wrong-number": {"cs": "Toto číslo není správné.", "en": "This number is not correct."},
    "wrong-key": {"cs": "Tato volba neexistuje.", "en": "This option does not exist."},
    "no-input": {"cs": "Nestiskli jste žádnou klávesu.", "en": "You did not press any key."},
    "agents-busy": {
        "cs": "Všichni operátoři právě hovoří. Zavolejte prosím později.",
        "en": "All agents are busy at the moment. Please call again later.",
    },
    "please-wait": {
        "cs": "Všichni operátoři hovoří. Prosím vyčkejte.",
        "en": "All agents are busy. Please hold the line.",
    },
    "offer-message": {
        "cs": "Nechcete-li čekat, stiskněte pětku a zanechte nám zprávu.",
        "en": "If you do not want to wait, press five and leave us a message.",
    },
    "queue-full": {
        "cs": "Právě čeká příliš mnoho volajících. Zavolejte prosím později.",
        "en": "Too many callers are waiting at the moment. Please call again later.",
    },
    "nobody-available": {
        "cs": "Nyní tu není žádný operátor. Zavolejte prosím později.",
        "en": "No agent is available at the moment. Please call again later.",
    },
    "press-one-to-accept": {
        "cs": "Hovor z fronty. Pro přijetí stiskněte jedničku.",
        "en": "A call for you. To take it, press one.",
    },
    "closed": {
        "cs": "Voláte mimo provozní dobu. Zavolejte prosím později.",
        "en": "You are calling outside our opening hours. Please call again later.",
    },
    "thank-you": {"cs": "Děkujeme.", "en": "Thank you."},
    "goodbye": {"cs": "Děkujeme za zavolání. Na shledanou.", "en": "Thank you for calling. Goodbye."},
    "choose-language": {
        "cs": "Pro češtinu stiskněte jedničku.",
        "en": "For English, press two.",
    },
    "apology": {
        "cs": "Omlouváme se, z technických důvodů vás nyní nemůžeme spojit. Zavolejte prosím později.",
        "en": "We are sorry, for technical reasons we cannot connect you now. Please call again later.",
    },
}
"""The general prompts: name, language, spoken text. `apology` is what the switch plays when no engine answers,
`press-one-to-accept` is for agents."""

MUSIC = PromptFile("general/music.wav")
"""For callers who wait, in whatever language; made by `recordings.music`."""


def template(name: str) -> dict[str, Any]:
    """A template's document. Raises `KeyError` for an unknown name."""
    if name not in TEMPLATES:
        raise KeyError(name)
    document: dict[str, Any] = json.loads((_HERE / f"{name}.json").read_text(encoding="utf-8"))
    return document


def prompts_dir() -> Path:
    """The directory with the recordings that come with callwright."""
    return _HERE / "prompts"


def prompt(name: str, language: str) -> PromptFile:
    """A general prompt's recording. Raises `KeyError` for one that there isn't."""
    if language not in GENERAL[name]:
        raise KeyError(language)
    return PromptFile(f"general/{language}/{name}.wav")
