"""Names of columns, and words in their cells, that say whether a row is to be sent."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal, TypeAlias

from .columns import normal_name, without_bracket
from .dates import days_in
from .spellings import spelled, truth

Says: TypeAlias = Literal["status", "approved", "draft", "sent"]
"""How a column says whether a row is to be sent.

- ``status``: a word such as "draft" says it.
- ``approved``: yes means "send it".
- ``draft``: yes means "do not send it".
- ``sent``: yes means "sent already".
"""

_COLUMNS: dict[Says, tuple[str, ...]] = {
    "status": (
        "status", "state", "post status", "content status", "approval status", "publish status", "publishing status",
        "workflow status", "estado", "statut", "stato",
    ),
    "approved": (
        "approved", "approval", "is approved", "publish", "to publish", "ready", "is ready", "ready to post",
        "ready to publish", "ready for posting", "ready for publishing", "ok", "ok to post", "client ok",
        "customer ok", "send", "to send", "to post", "include", "included", "go", "signed off", "sign off",
        "freigabe", "freigegeben", "genehmigt", "aprobado", "aprovado", "approuvé", "validé",
        "approvato", "goedgekeurd", "zatwierdzone",
    ),
    "draft": (
        "draft", "is draft", "hold", "on hold", "cancelled", "canceled", "skip", "skipped", "do not post", "don't post",
        "do not publish", "do not send", "archived", "deleted", "rejected", "paused", "exclude", "excluded",
        "entwurf", "abgesagt", "storniert", "borrador", "cancelado", "brouillon", "annulé", "bozza", "annullato",
        "rascunho",
    ),
    "sent": (
        "posted", "is posted", "already posted", "sent", "is sent", "already sent", "published", "is published",
        "already published", "live", "is live", "done",
        "gepostet", "veröffentlicht", "gesendet", "erledigt", "publicado", "enviado", "publié", "envoyé", "pubblicato",
        "inviato", "gepubliceerd", "geplaatst", "opublikowane",
    ),
}  # fmt: skip
"""Usual names of columns that say whether a row is to be sent."""


def _signs_left_out(name: str) -> str:
    return "".join(filter(str.isalnum, normal_name(name))).rstrip("0123456789")


_SAYS: dict[str, Says] = {_signs_left_out(name): says for says, names in _COLUMNS.items() for name in names}

_APPROVING_NAMES = frozenset({
    "approve", "approved", "approval", "freigabe", "freigegeben", "genehmigt", "genehmigung", "aprobado", "aprobada",
    "aprobación", "aprovado", "aprovada", "aprovação", "approuvé", "approbation", "validé", "validation", "valid",
    "approvato", "approvazione", "goedgekeurd", "goedkeuring", "akkoord", "zatwierdzone", "zatwierdzony", "akceptacja",
    "godkänd", "godkjent", "godkendt", "hyväksytty", "schváleno", "одобрено", "утверждено", "承認",
})  # fmt: skip
"""Words of names whose columns may approve rows; the cells show whether they do."""

_STATUS_NAMES = frozenset({
    "status", "stage", "phase", "state", "statut", "stato", "estado", "situação", "situation", "zustand", "stan",
    "stav", "état", "etat", "fase", "etapa", "étape", "progress", "workflow", "label", "labels", "list", "column",
    "статус", "状態", "ステータス", "状态",
})  # fmt: skip
"""Words of names whose columns may say the status of rows; the cells show whether they do."""

_NOTES = frozenset({
    "note", "notes", "comment", "comments", "remark", "remarks", "info", "infos", "information", "internal", "todo",
    "feedback", "memo",
    "notiz", "notizen", "bemerkung", "bemerkungen", "hinweis", "hinweise", "kommentar", "kommentare", "anmerkung",
    "anmerkungen", "intern", "interna", "commentaire", "commentaires", "remarque", "remarques", "interne",
    "nota", "notas", "comentario", "comentarios", "observación", "observaciones", "interno",
    "comentário", "comentários", "observação", "observações", "commento", "commenti", "osservazioni",
    "opmerking", "opmerkingen", "notitie", "notities", "uwaga", "uwagi", "notatka", "notatki", "komentarz",
})  # fmt: skip
"""Words of names whose columns have any remark, also that one row is not to be sent."""

_VERSIONS = frozenset({"draft", "entwurf", "borrador", "brouillon", "bozza", "rascunho"})
"""Names that say yes or no, or whose columns hold a former text: "Draft 1"."""

_LONGEST_REASON = 80
"""Characters of a cell that may say why a row is a draft; a longer one is a text for a post."""

_OTHER_NAMES = frozenset({"needed", "needs", "required", "requires"})
"""Words that turn the sense of a name: "Approval needed"."""


@lru_cache(maxsize=1024)
def approval_in(name: str) -> Says | None:
    """Return how a column of this name says whether a row is to be sent; ``None`` if it is no such column."""
    if name.rstrip().endswith("?") and spelled(name) in ("golive", "post"):
        # "Post" is the text, and "Go live" may be a date.
        return "approved"
    if "#" in name:
        # "Draft #" has a number.
        return None
    whole = _signs_left_out(name)
    return _SAYS.get(whole) or _SAYS.get(_signs_left_out(without_bracket(name)[0]))


@lru_cache(maxsize=1024)
def approval_hint(name: str) -> Says | None:
    """Return how a column may say whether a row is to be sent, if its cells do; ``None`` if its name does not tell."""
    folded = unicodedata.normalize("NFKC", name[:200]).casefold()
    words = set(re.findall(r"[^\W_]+", folded))
    if words & _OTHER_NAMES:
        return None
    if words & _APPROVING_NAMES or words - {"y", "n", "yes", "no"} == {"go", "live"}:
        return "approved"
    return "status" if words & _STATUS_NAMES else None


@lru_cache(maxsize=1024)
def is_for_notes(name: str) -> bool:
    """Tell whether a column of this name has remarks of any kind."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name[:200]).casefold())
    return not _NOTES.isdisjoint(words) or words[:2] == ["to", "do"]


def is_former_text(name: str, cell: object) -> bool:
    """Tell whether a cell of a column such as "Draft 1" holds a text or its date, and not whether a row is a draft."""
    whole = "".join(filter(str.isalnum, normal_name(name)))
    if whole.rstrip("0123456789") not in _VERSIONS:
        return False
    text = cell if isinstance(cell, str) else ""
    if len(text) > _LONGEST_REASON or days_in(cell):
        return True
    return whole[-1].isdecimal() and truth(text) is None and not is_status(text)


_APPROVED_WORDS = frozenset(
    map(
        spelled,
        (
            "approved", "approved by client", "client approved", "scheduled", "ready", "ready to go", "ready to post",
            "ready for posting", "ready to publish", "ready for publishing", "ready to schedule",
            "ready for scheduling", "good to go", "final", "ok", "confirmed", "queued", "to be posted", "to post",
            "to be published", "to publish", "to be scheduled", "to schedule",
            "freigegeben", "genehmigt", "geplant", "eingeplant", "bereit",
            "aprobado", "aprobada", "programado", "programada", "listo", "lista", "listo para publicar",
            "aprovado", "aprovada", "agendado", "agendada",
            "approuvé", "approuvée", "validé", "validée", "programmé", "programmée", "planifié", "planifiée", "prêt",
            "à publier", "approvato", "approvata", "programmato", "programmata", "goedgekeurd", "ingepland",
            "zatwierdzone", "承認", "承認済み",
        ),
    )
)  # fmt: skip
"""Words for rows that are to be sent. Others, such as "planned", may mean either."""

_STOPPED_WORDS = frozenset(
    map(
        spelled,
        (
            "draft", "first draft", "rough draft", "rejected", "declined", "refused", "not approved", "unapproved",
            "not yet approved", "disapproved", "cancelled", "canceled", "on hold", "paused", "postponed", "do not post",
            "don't post", "do not publish", "don't publish", "do not send", "no post", "archived", "needs approval",
            "awaiting approval", "waiting for approval", "pending approval", "needs changes", "changes requested",
            "changes needed", "needs revision", "revision needed", "needs edits", "already posted", "already published",
            "entwurf", "abgelehnt", "abgesagt", "storniert", "nicht freigegeben", "nicht genehmigt", "nicht posten",
            "pausiert", "borrador", "rechazado", "rechazada", "cancelado", "cancelada", "no aprobado", "no publicar",
            "brouillon", "refusé", "refusée", "rejeté", "annulé", "annulée", "à revoir", "à valider", "non validé",
            "ne pas publier", "bozza", "rifiutato", "annullato", "annullata", "non approvato", "da approvare",
            "rascunho", "rejeitado", "reprovado", "não aprovado", "afgekeurd", "geannuleerd", "odrzucone", "anulowane",
            "wersja robocza", "utkast", "kladde", "luonnos", "черновик", "отклонено", "отменено", "下書き", "却下",
            "草稿", "초안",
        ),
    )
)  # fmt: skip
"""Words for rows that are not to be sent, whichever column says them."""

_EARLY_WORDS = frozenset(
    map(
        spelled,
        (
            "idea", "ideas", "brainstorm", "backlog", "todo", "in progress", "working on it", "wip", "writing",
            "editing", "review", "in review", "needs review", "to review", "for review", "under review", "pending",
            "pending review", "open", "waiting", "blocked", "stuck", "not started", "not yet",
            "idee", "ideen", "offen", "in arbeit", "in bearbeitung", "in prüfung", "zur freigabe",
            "pendiente", "en revisión", "en attente", "en cours", "en relecture", "in attesa", "in revisione",
            "pendente", "em revisão", "em andamento", "in behandeling", "w trakcie", "確認中",
        ),
    )
)  # fmt: skip
_DONE_WORDS = frozenset(
    map(
        spelled,
        (
            "done", "posted", "published", "live", "sent", "complete", "completed", "finished", "closed", "expired",
            "failed", "erledigt", "fertig", "veröffentlicht", "gepostet", "gesendet", "publicado", "publicada",
            "enviado", "publié", "publiée", "envoyé", "terminé", "pubblicato", "pubblicata", "gepubliceerd",
            "geplaatst", "opublikowane", "公開済み", "投稿済み",
        ),
    )
)  # fmt: skip
_STATUS_WORDS = _APPROVED_WORDS | _STOPPED_WORDS | _EARLY_WORDS | _DONE_WORDS


def _word(text: str) -> str:
    # Boards number their stages: "1. Draft".
    return spelled(text).lstrip("0123456789")


def is_approving(text: str) -> bool:
    """Tell whether a text says that a row is to be sent."""
    return _word(text) in _APPROVED_WORDS


def is_stopping(text: str) -> bool:
    """Tell whether a text says that a row is not to be sent, whichever column it stands in."""
    return _word(text) in _STOPPED_WORDS


def is_status(text: str) -> bool:
    """Tell whether a text is a word for the state of a post."""
    return _word(text) in _STATUS_WORDS


def is_live(text: str) -> bool:
    """Tell whether a text says "live", which is also a kind of video, of event or of record."""
    return _word(text) == "live"


def decides(text: str) -> bool:
    """Tell whether a text can only mean "send this post" or "do not send it"; "done" can mean other things."""
    return is_approving(text) or is_stopping(text)


def is_early(text: str) -> bool:
    """Tell whether a text says that a post has not been sent yet."""
    return _word(text) in _EARLY_WORDS | _APPROVED_WORDS
