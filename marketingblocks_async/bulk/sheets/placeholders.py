"""Recognise captions that are no text for the public: instructions, and what a template has in place of a text."""

from __future__ import annotations

import re

from .display import visible

_LONGEST = 100

_INSTRUCTION = re.compile(
    r"""(?:
    same[ ](?:(?:caption|text|copy|content|message|post)[ ])?(?:(?:as|like|on|for)[ ])?
    (?:(?:
        (?:the[ ])?(?:above|below|previous|before|last|first|other)(?:[ ](?:one|post|row|caption|text))?
        |(?:post|row|line)[ ]?[#]?\d+
        |facebook|fb|instagram|insta|ig|linkedin|li|twitter|x|threads|tiktok|youtube
    ))
    |(?:see|as)[ ](?:above|below)|ditto|dito|idem|(?:siehe|wie)[ ](?:oben|facebook|instagram|fb|ig)
    |(?:no|kein)[ ]post|(?:do[ ]not|don['\u2019]t|nicht)[ ](?:post|publish|posten)
    |cancell?ed|on[ ]hold|deleted|abgesagt|annul\u00e9e?
    |[{]{1,2}[ ]?\w[^{}]*[}]{1,2}|<<?[ ]?[^\W\d][\w ]*>>?
    |\[(?:your|insert|add|enter|caption|text|copy|post|object)\b[^\[\]]*\]
    |lorem[ ]ipsum\b.*|(?-i:TODO)[ :].*|loading[ ]?(?:[.]{3}|\u2026)
    |(?:your[ ])?(?:caption|text|copy)(?:[ ]goes)?[ ]here
    )[.]?""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def instruction_in(text: str) -> str | None:
    """Return what to do about a caption that is an instruction or a placeholder as a whole; ``None`` if it is none."""
    head = text[:_LONGEST]
    if _INSTRUCTION.fullmatch(head) is None:
        return None
    return f'"{visible(head)}" seems to be an instruction or a placeholder; write the text, or leave the row out'
