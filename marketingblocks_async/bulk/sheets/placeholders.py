"""Recognise captions that are no text for the public: instructions, and what a template has in place of a text."""

from __future__ import annotations

import re

from .display import visible

_LONGEST = 100

_INSTRUCTION = re.compile(
    r"""(?:
    same[ ](?:(?:caption|text|copy|content|message|post)[ ])?
    (?:above|below|(?:as|like|on|for)[ ](?:
        (?:the[ ])?(?:above|below|previous|before|last|first|other)(?:[ ](?:one|post|row|caption|text))?
        |(?:post|row|line)[ ]?[#]?\d+
        |facebook|fb|instagram|insta|ig|linkedin|li|twitter|x|threads|tiktok|youtube
    ))
    |ditto|dito|idem|wie[ ](?:oben|facebook|instagram|fb|ig)
    |(?:no|kein)[ ]post|(?:do[ ]not|don['\u2019]t|nicht)[ ](?:post|publish|posten)
    |cancell?ed|on[ ]hold|deleted|abgesagt|annul\u00e9e?
    |[{]{2}[ ]?\w[^{}]*[}]{2}|(?-i:\[object[ ]Object\])
    |\[(?:insert\b[^\[\]]*|(?:your|caption|text|copy)\b[^\[\]]*\bhere)\]
    |(?-i:TODO)(?::(?:[ ]?\w+(?:,?[ ]\w+){0,4})?)?
    |(?:your[ ])?(?:caption|text|copy)(?:[ ]goes)?[ ]here
    )[.]?""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_DOUBTFUL = re.compile(
    r"""(?:
    same[ ](?:previous|before|last|first|facebook|fb|instagram|insta|ig|linkedin|li|twitter|x|threads|tiktok|youtube)
    |(?:see|as)[ ](?:above|below)|siehe[ ](?:oben|facebook|instagram|fb|ig)
    |[{][ ]?\w[^{}]*[}]|<<?[ ]?[^\W\d][\w ]*>>?
    |\[(?:your|add|enter|caption|text|copy|post|object)\b[^\[\]]*\]
    |(?-i:TODO)(?::|[ ](?:write|add|insert|caption|copy|text|check|find)\b).*
    |lorem[ ]ipsum\b.*|loading[ ]?(?:[.]{3}|\u2026)
    )[.]?""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
"""Texts that a template has, and that may be meant all the same."""


def instruction_in(text: str) -> str | None:
    """Return what to do about a caption that is an instruction or a placeholder as a whole; ``None`` if it is none."""
    head = text[:_LONGEST]
    if _INSTRUCTION.fullmatch(head) is None:
        return None
    return (
        f'"{visible(head)}" seems to be an instruction or a placeholder; write the text, or leave the row out (if it '
        f'is meant, change it a little: "{visible(head)}!" is published)'
    )


def placeholder_in(text: str) -> str | None:
    """Return a doubt about a caption that may be a placeholder as a whole; ``None`` if it is none."""
    head = text[:_LONGEST]
    if _DOUBTFUL.fullmatch(head.strip()) is None:
        return None
    return f'"{visible(head)}" may be a placeholder; it would be published'
