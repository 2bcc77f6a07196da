"""Names of columns, and words in their cells, that say whether a row is to be sent."""

# ruff: noqa: RUF001 - words of many scripts
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
        "workflow status", "estado", "statut", "stato", "situação", "статус", "ステータス", "状态", "狀態", "상태",
        "durum", "stan", "stav", "tila", "állapot", "κατάσταση", "סטטוס", "الحالة", "स्थिति", "trạng thái", "สถานะ",
    ),
    "approved": (
        "approved", "approval", "is approved", "publish", "to publish", "ready", "is ready", "ready to post",
        "ready to publish", "ready for posting", "ready for publishing", "ok", "ok to post", "client ok",
        "customer ok", "send", "to send", "to post", "include", "included", "go", "signed off", "sign off",
        "freigabe", "freigegeben", "genehmigt", "aprobado", "aprovado", "approuvé", "validé",
        "approvato", "goedgekeurd", "zatwierdzone",
    ),
    "draft": (
        "draft", "is draft", "hold", "on hold", "cancelled", "canceled", "skip", "skipped", "do not post",
        "don't post", "do not publish", "do not send", "archived", "deleted", "rejected", "paused", "exclude",
        "excluded", "entwurf", "abgesagt", "storniert", "borrador", "cancelado", "brouillon", "annulé", "bozza",
        "annullato", "rascunho",
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

_APPROVING_NAMES = frozenset(map(spelled, (
    "approve", "approved", "approval", "signoff", "freigabe", "freigegeben", "genehmigt", "genehmigung",
    "aprobado", "aprobada", "aprobación", "aprovado", "aprovada", "aprovação", "approuvé", "approbation", "validé",
    "validation", "valid", "approvato", "approvazione", "goedgekeurd", "goedkeuring", "akkoord", "zatwierdzone",
    "zatwierdzony", "akceptacja", "godkänd", "godkjent", "godkendt", "hyväksytty", "schváleno", "jóváhagyva",
    "aprobat", "εγκρίθηκε", "одобрено", "утверждено", "согласовано", "onay", "onaylandı", "אישור", "אושר", "موافقة",
    "اعتماد", "स्वीकृत", "disetujui", "อนุมัติ", "승인", "承認", "批准", "审核", "審核", "审批",
)))  # fmt: skip
"""Words of names whose columns may approve rows; the cells show whether they do."""

_PUBLISHING_NAMES = frozenset(map(spelled, (
    "publish", "post", "send", "veröffentlichen", "posten", "senden", "publier", "poster", "envoyer", "publicar",
    "postar", "enviar", "pubblicare", "postare", "inviare", "publiceren", "plaatsen", "versturen", "publikować",
    "opublikować", "publikuj", "wysłać", "publicera", "posta", "publisere", "offentliggør", "julkaise", "zveřejnit",
    "publikovat", "публиковать", "опубликовать", "отправить", "yayınla", "نشر", "פרסם", "公開", "投稿", "发布",
    "發布", "게시",
)))  # fmt: skip
"""Words for publishing: a column that is called so, and no more, may say whether a row is to be sent."""

_BESIDE_PUBLISHING = frozenset({
    "now", "it", "this", "to", "the", "jetzt", "maintenant", "ahora", "agora", "adesso", "ora", "nu", "teraz",
})  # fmt: skip
"""Words beside those that do not make another column of it, unlike those of "Post to stories"."""

_BESIDE_OK = frozenset(map(spelled, (
    "ok", "okay", "posting", "publishing", "publication", "schedule", "scheduling", "y", "n", "yes", "no", "ja",
    "nein", "is", "all", "final", "go", "live", "by", "from", "for", "of", "von", "vom", "für", "der", "des", "durch",
    "du", "de", "del", "da", "do", "par", "por", "client", "clients", "customer", "customers", "chef", "chefin",
    "boss", "manager", "ceo", "owner", "editor", "team", "management", "redaktion", "kunde", "kunden", "kundin",
    "leitung", "geschäftsführung", "cliente", "clientes", "jefe", "jefa", "chefe", "capo", "responsable", "klant",
    "klient", "kund",
)))  # fmt: skip
"""Words beside "OK" that do not make another column of it, unlike those of "OK to boost" and "Rights OK"."""

_PERSONS = frozenset({"by", "von", "vom", "durch", "par", "por", "da", "door", "przez", "av", "af"})
"""Words of names whose columns say who approved a row."""

_STATUS_NAMES = frozenset(map(spelled, (
    "status", "stage", "phase", "state", "statut", "stato", "estado", "situação", "situation", "zustand", "stan",
    "stav", "état", "etat", "fase", "etapa", "étape", "progress", "workflow", "label", "labels", "list", "column",
    "статус", "状態", "ステータス", "状态",
)))  # fmt: skip
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


def _words_of(name: str) -> set[str]:
    """Return the words of a name; the vowels of some scripts are marks, and belong to them."""
    folded = unicodedata.normalize("NFKC", name[:200])
    kept = (each if each.isalnum() or unicodedata.category(each) in ("Mn", "Mc") else " " for each in folded)
    return set(map(spelled, "".join(kept).split()))


def _asks_to_publish(words: set[str]) -> bool:
    if any(map(truth, words)):
        # "Publish (yes/no)"; the "no" of "Post no." is a number.
        words = {word for word in words if truth(word) is None}
    return bool(words & _PUBLISHING_NAMES) and words <= _PUBLISHING_NAMES | _BESIDE_PUBLISHING


def _asks_for_ok(words: set[str]) -> bool:
    return "ok" in words and words <= _BESIDE_OK | _PUBLISHING_NAMES | _BESIDE_PUBLISHING


@lru_cache(maxsize=1024)
def approval_in(name: str) -> Says | None:
    """Return how a column of this name says whether a row is to be sent; ``None`` if it is no such column."""
    is_question = name.rstrip().endswith(("?", "\uff1f"))
    if is_question and (spelled(name) == "golive" or _asks_to_publish(_words_of(name))):
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
    words = _words_of(name)
    if words & _OTHER_NAMES:
        return None
    # German writes several words as one: "Freigabestatus", "Kundenfreigabe".
    is_approval = words & _APPROVING_NAMES or {"sign", "off"} <= words or any("freigabe" in word for word in words)
    if (
        is_approval
        or _asks_for_ok(words)
        or words - {"y", "n", "yes", "no"} == {"go", "live"}
        or (_asks_to_publish(words) and "#" not in name)
    ):
        return "approved"
    return "status" if words & _STATUS_NAMES or any(word.endswith("status") for word in words) else None


_OF_POSTS = tuple(map(spelled, (
    "beitrag", "bericht", "content", "inlägg", "innlegg", "opslag", "post", "publi", "social", "veröffentlich",
)))  # fmt: skip
"""Beginnings of words for the status of a post, such as "Beitragsstatus"."""


@lru_cache(maxsize=1024)
def may_be_status_of_other(name: str) -> bool:
    """Tell whether a column of a status may say that of a project or a picture, as "Projektstatus" does."""
    words = _words_of(name)
    return not words & _STATUS_NAMES and not any(word.startswith(_OF_POSTS) for word in words)


@lru_cache(maxsize=1024)
def names_persons(name: str) -> bool:
    """Tell whether a column of this name says who approved a row: "J" and "N" may be persons."""
    return not _PERSONS.isdisjoint(_words_of(name))


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
            "autorizado", "autorizada", "confirmado", "confirmada", "akkoord", "zatwierdzony", "zatwierdzona",
            "zaakceptowane", "zaakceptowany", "zaplanowane", "zaplanowany", "do publikacji", "gotowe do publikacji",
            "godkänd", "godkänt", "schemalagd", "schemalagt", "godkjent", "godkendt", "planlagt", "hyväksytty",
            "ajastettu", "schváleno", "schválený", "naplánováno", "jóváhagyva", "ütemezve", "aprobat", "programat",
            "εγκεκριμένο", "εγκρίθηκε", "προγραμματισμένο", "одобрено", "одобрен", "утверждено", "утвержден",
            "согласовано", "согласован", "подтверждено", "запланировано", "запланирован", "готово к публикации",
            "готов к публикации", "затверджено", "схвалено", "погоджено", "заплановано", "onaylandı", "onaylı",
            "onaylanmış", "planlandı", "zamanlandı", "yayına hazır", "yayınlanmaya hazır", "מאושר", "אושר", "מתוזמן",
            "מוכן לפרסום", "معتمد", "موافق", "موافق عليه", "تمت الموافقة", "مجدول", "جاهز للنشر", "स्वीकृत",
            "अनुमोदित", "निर्धारित", "đã duyệt", "đã lên lịch", "disetujui", "dijadwalkan", "terjadwal", "อนุมัติ",
            "อนุมัติแล้ว", "承認済", "予約済み", "予約済", "公開予定", "投稿予定", "确认发布", "已批准", "批准",
            "已审核", "审核通过", "已通过", "已确认", "已排期", "待发布", "定时发布", "已核准", "已審核", "審核通過",
            "已排程", "待發布", "待發佈", "승인", "승인됨", "승인완료", "예약됨", "예약완료",
        ),
    )
)  # fmt: skip
"""Words for rows that are to be sent. Others, such as "planned", may mean either."""

_STOPPED_WORDS = frozenset(
    map(
        spelled,
        (
            "draft", "first draft", "rough draft", "rejected", "declined", "refused", "not approved", "unapproved",
            "not yet approved", "disapproved", "cancelled", "canceled", "on hold", "paused", "postponed",
            "do not post", "don't post", "do not publish", "don't publish", "do not send", "no post", "archived",
            "needs approval", "awaiting approval", "waiting for approval", "pending approval", "needs changes",
            "changes requested", "changes needed", "needs revision", "revision needed", "needs edits",
            "already posted", "already published", "entwurf", "abgelehnt", "abgesagt", "storniert",
            "nicht freigegeben", "nicht genehmigt", "nicht posten", "pausiert", "borrador", "rechazado", "rechazada",
            "cancelado", "cancelada", "no aprobado", "no publicar", "brouillon", "refusé", "refusée", "rejeté",
            "annulé", "annulée", "à revoir", "à valider", "non validé", "ne pas publier", "bozza", "rifiutato",
            "annullato", "annullata", "non approvato", "da approvare", "rascunho", "rejeitado", "reprovado",
            "não aprovado", "afgekeurd", "geannuleerd", "odrzucone", "anulowane", "wersja robocza", "utkast",
            "kladde", "luonnos", "черновик", "отклонено", "отменено", "下書き", "却下", "草稿", "초안",
            "no aprobada", "no autorizado", "não aprovada", "não publicar", "aguardando aprovação",
            "pendente de aprovação", "pendiente de aprobación", "pendiente de aprobar", "en attente de validation",
            "in attesa di approvazione", "non approvata", "non pubblicare", "rifiutata", "niet goedgekeurd",
            "niet plaatsen", "afgewezen", "ter goedkeuring", "szkic", "robocze", "roboczy", "odrzucony", "anulowany",
            "wstrzymane", "niezatwierdzone", "nie publikować", "do akceptacji", "do zatwierdzenia", "avvisad",
            "ej godkänd", "inte godkänd", "avslått", "ikke godkjent", "ikke godkendt", "afvist", "aflyst", "avlyst",
            "til godkendelse", "til godkjenning", "hylätty", "peruttu", "ei hyväksytty", "zamítnuto", "zrušeno",
            "ke schválení", "neschváleno", "piszkozat", "elutasítva", "ciornă", "respins", "anulat", "πρόχειρο",
            "ακυρώθηκε", "απορρίφθηκε", "не одобрено", "не согласовано", "не утверждено", "не публиковать",
            "отменен", "отклонен", "на согласовании", "на утверждении", "чернетка", "відхилено", "скасовано",
            "на погодженні", "taslak", "reddedildi", "iptal", "iptal edildi", "onaylanmadı", "onay bekliyor",
            "yayınlanmayacak", "טיוטה", "נדחה", "בוטל", "לא מאושר", "ממתין לאישור", "مسودة", "مرفوض", "ملغى", "ملغي",
            "غير معتمد", "بانتظار الموافقة", "मसौदा", "ड्राफ्ट", "अस्वीकृत", "रद्द", "nháp", "bản nháp",
            "bị từ chối", "đã hủy", "chờ duyệt", "draf", "ditolak", "dibatalkan", "แบบร่าง", "ยกเลิก", "非承認",
            "未承認", "承認待ち", "保留", "中止", "差し戻し", "差戻し", "已拒绝", "拒绝", "未通过", "审核未通过",
            "驳回", "已驳回", "取消", "已取消", "暂停", "不发布", "未批准", "未审核", "待审核", "待審核", "未審核",
            "已拒絕", "不發布", "暫停", "반려", "거절", "취소", "보류", "미승인", "승인대기", "임시저장",
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
            "idée", "idées", "ideia", "idé", "en proceso", "en progreso", "en curso", "em produção",
            "em aprovação", "in lavorazione", "pronto", "pronta", "mee bezig", "concept", "koncept",
            "návrh", "w przygotowaniu", "oczekuje", "w toku", "pomysł", "väntar", "under granskning", "pågår",
            "under arbeid", "under arbejde", "i gang", "kesken", "odottaa", "rozpracováno", "в работе",
            "на проверке", "в процессе", "идея", "ожидает", "готується", "в роботі", "beklemede", "incelemede",
            "devam ediyor", "fikir", "hazırlanıyor", "בבדיקה", "ממתין", "בתהליך", "בעבודה", "مراجعة", "قيد المراجعة",
            "قيد الانتظار", "قيد العمل", "قيد التنفيذ", "فكرة", "लंबित", "समीक्षा", "समीक्षाधीन", "đang làm",
            "menunggu", "dalam proses", "รอดำเนินการ", "作成中", "制作中", "レビュー中", "未着手", "進行中",
            "検討中", "修正中", "审核中", "審核中", "进行中", "待定", "未开始", "编辑中", "待处理", "검토중",
            "진행중", "대기", "작성중",
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
            "postado", "postada", "enviada", "terminada", "terminado", "concluído", "concluída", "verzonden",
            "klaar", "klar", "gotowe", "opublikowany", "wysłane", "publicerad", "publicerat", "publisert", "udgivet",
            "postet", "skickad", "valmis", "julkaistu", "publikováno", "zveřejněno", "hotovo", "közzétéve",
            "publicat", "δημοσιεύτηκε", "опубликовано", "опубликован", "отправлено", "готово", "готов",
            "опубліковано", "yayınlandı", "yayında", "paylaşıldı", "tamamlandı", "gönderildi", "hazır", "פורסם",
            "נשלח", "מוכן", "منشور", "تم النشر", "تم", "جاهز", "प्रकाशित", "तैयार", "đã đăng", "diterbitkan",
            "tayang", "เผยแพร่แล้ว", "公開済", "投稿済", "完了", "配信済み", "已发布", "已发", "完成", "已完成",
            "已發布", "已發佈", "게시됨", "발행됨", "완료",
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
