"""What the words of a greeting say of who answered: a person, a machine, a call screener, the network.

Pure. Each phrase has a weight: 3 is said by no person who picks up the telephone, 2 by hardly any, 1 more by machines
than by people. What people say weighs against it. The phrases are matched in what a recogniser heard so far, so they
are short and forgive what it mishears. A language without a table is read as English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Party(Enum):
    """Who answered a call."""

    HUMAN = "human"
    MACHINE = "machine"
    """An answering machine, a mailbox, a menu or a queue."""
    SCREENER = "screener"
    """A machine that asks who is calling, for a person who may then answer."""
    CARRIER = "carrier"
    """The network's announcement: nobody can be reached at this number."""


CERTAIN: Final = 3.0
SPECIFIC: Final = 1.5
STRONG: Final = 2.0
"""Two phrases of this weight are as telling as one that no person says."""
HUMAN_WEIGHT: Final = 1.5
"""How much a person's phrase weighs against a machine's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the words say. `human` and `other` are weights, `party` is who `other` speaks for, HUMAN where nobody.

    `phrase`: the words that weigh most. `telling`: they are such as no person says. `specific`: they tell what kind of
    machine it is. `introduced`: it begins as if somebody gave a name. `beep_promised`: it told to wait for a tone.
    `full`: it takes no messages. `holding`: it asks to wait for somebody.
    """

    human: float = 0.0
    other: float = 0.0
    party: Party = Party.HUMAN
    phrase: str = ""
    telling: bool = False
    specific: bool = False
    introduced: bool = False
    beep_promised: bool = False
    full: bool = False
    holding: bool = False

    @property
    def certain(self) -> bool:
        """Whether no person speaks like that."""
        return self.telling and self.other >= CERTAIN + HUMAN_WEIGHT * self.human

    @property
    def lean(self) -> float:
        """Above 0: rather not a person; below: rather one."""
        return self.other - HUMAN_WEIGHT * self.human


@dataclass(frozen=True, slots=True)
class Phrases:
    """The phrases of one language: patterns and their weights.

    `opening`: how machines of every kind begin. `introduction`: how a greeting begins that a person ends after the
    name. `beep` promises one, `full` says that no message is taken, `holding` asks to wait for somebody.
    """

    human: Sequence[tuple[str, float]]
    machine: Sequence[tuple[str, float]]
    screener: Sequence[tuple[str, float]] = ()
    carrier: Sequence[tuple[str, float]] = ()
    opening: Sequence[tuple[str, float]] = ()
    introduction: str = r"(?!)"
    beep: str = r"(?!)"
    full: str = r"(?!)"
    holding: str = r"(?!)"


_NUMBER = r"(?:number|call|line)"
_CALLEE = r"(?:person|customer|party|subscriber|user|client|member|recipient)"
_PHONE = r"(?:phone|call|calls)"

ENGLISH: Final = Phrases(
    human=(
        (r"\bhow (?:can|may|could) (?:i|we)\b", 2.0),
        (r"\bwhat can (?:i|we)\b", 2.0),
        (r"\b(?:may|can|could) i (?:help|take|have|ask|call)\b", 1.5),
        (r"\bwho(?:'s| is| am)\b(?! calling$)", 1.0),
        (r"\bwho(?:'s| is) (?:this|it|that|there|calling\?)", 1.5),
        (r"\bspeaking\b", 1.5),
        (r"^(?:\w+ ){0,2}who\b", 1.0),
        (r"\b(?:hold|hang) on\b", 1.5),
        (r"\b(?:one|just a|give me a) (?:second|sec|moment|minute)\b", 1.0),
        (r"\bplease hold\b(?! while)", 0.5),
        (r"^good (?:morning|afternoon|evening)\b|\bgood (?:m|a|e)\w*$", 1.0),
        (r"\bhello\?(?: |$)", 1.0),
        (r"\bhello hello\b", 1.5),
        (r"^(?:hello|hi)(?: (?!you|this|that|it|we|i|i'm|if|the|your|our|my|thank|welcome|there)\w+){1,3}$", 0.5),
        (r"^(?:um |uh )?(?:hello|hi|hey|hello there|hi there)\??$", 0.5),
        (r"^(?:yes|yeah|yep|speak|go ahead)\b|^(?:what|yo)\?", 1.5),
        (r"\b(?:can|do) you hear me\b", 2.0),
        (r"\b(?:anybody|anyone|somebody) there\b", 2.0),
        (r"\b(?:what's|what is) (?:up|this|it)\b(?!.{0,12}about)", 0.5),
        (r"\bis (?:this|that|it)\b", 1.0),
        (r"\bthis is \w+(?: \w+)?(?: \w+)?[.,]? (?:how|what|who)\b", 1.5),
        (r"\b\w+ here$", 1.0),
        (r"\b(?:would|do|did) you (?:like|want)\b", 2.0),
        (r"\bi'm (?:driving|in a meeting|at work)\b|\btalk right now\b", 1.0),
        (r"\b(?:residen\w+|department|reception|desk|office please)\b", 0.5),
    ),
    machine=(
        (r"\bleave (?:me |us |him |her |them )?(?:a|your|the|any) (?:\w+ ){0,3}(?:message|messages)\b", 3.0),
        (r"\bleave (?:me |us )?(?:your|a) (?:name|number|voice)\b", 3.0),
        (r"\bplease leave\b(?! (?:that|it|me alone))", 1.5),
        (r"\b(?:after|at|following|hear|wait for) the (?:\w+ )?(?:tone|beep|bleep|signal)\b", 3.0),
        (r"\bvoice ?mail\b|\bmail ?box\b", 2.0),
        (
            r"\b(?:reached|to|is) (?:the |a )?(?:\w+ ){0,2}(?:voice ?mail|mail ?box)\b(?! now)"
            r"|\bvoice ?mail (?:box|of|for|service)",
            2.0,
        ),
        (r"\bmail ?box (?:is|has|of|for|belongs)\b", 2.0),
        (
            r"\b(?:voice )?messag(?:e|ing) (?:system|service|center|bank)\b"
            r"|\banswer(?:ing)? ?(?:machine|phone|service)\b",
            3.0,
        ),
        (r"\brecord (?:your|a) (?:voice )?message\b", 3.0),
        (
            r"\b(?:can ?not|can'?t|unable to|not able to|couldn't) "
            r"(?:come to|get to|make it to|answer|reach|pick up|take)"
            rf"(?: to)?(?: the| your| my| this)?(?: {_PHONE})?",
            2.0,
        ),
        (r"\b(?:can ?not|can'?t|unable to|not able to) (?:come|get|take|answer|reach)\b", 1.0),
        (r"\b(?:not|un) ?(?:currently )?available\b", 1.5),
        (r"\bno ?(?:one|body) (?:is )?(?:\w+ )?available\b", 2.5),
        (r"\bbeen forwarded\b", 2.0),
        (r"\bcall (?:has been|is being|was) (?:forwarded|transferred|answered|recorded)\b", 3.0),
        (r"\bcall is (?:very )?important\b|\bcall (?:may|will) be (?:recorded|monitored)\b", 3.0),
        (r"\b(?:office|opening|business|working) hours\b", 2.0),
        (r"\b(?:office|offices|store|shop|practice|clinic|we|lines?)(?: is| are|'re) (?:\w+ )?closed\b", 2.0),
        (r"\bpress (?:the )?(?:one|two|three|four|five|six|seven|eight|nine|zero|star|pound|hash|[0-9#*])", 3.0),
        (r"\bmenu options\b|\blisten carefully\b|\bpara espa\w+\b|\bfor (?:english|spanish|sales)\b", 3.0),
        (r"\b(?:get|getting) (?:right )?back to you\b|\breturn your call\b", 2.0),
        (r"\b(?:i'll|we'll|i will|we will) (?:give you a )?call(?: you)?(?: right)? back\b", 1.5),
        (r"\byou know what to do\b|\bdo your thing\b", 2.5),
        (r"\byou know what\b|\byou(?:'ve| have)$|^(?:hi |hello |hey )?if you (?:record|leave|would)", 1.0),
        (r"\bmissed (?:your call|you)\b|\bmissed your\b", 2.0),
        (r"\bnot (?:home|around|in|here|at home)(?: right now| at the moment)?\b", 1.0),
        (r"\baway from\b|\bout of (?:the )?office\b|\bon the other line\b|\bcurrently\b", 1.5),
        (r"\ball (?:of )?our (?:\w+ )?(?:agents|representatives|operators|lines|staff|advisors)\b", 3.0),
        (r"\bhold while\b|\bwhile (?:we|i) (?:connect|try|transfer)\b", 1.5),
        (r"\bnext available\b|\bstay on the line\b|\bin the order\b", 2.5),
        (r"\byou(?:'ve| have|ve)? reached\b|\byou reached\b|\bthis is the (?:voice|mail|answering|office)", 1.5),
        (r"\btry (?:again|your call|calling|to call|you again)\b|\bcall (?:again|back) later\b", 1.5),
        (r"\b(?:thanks|thank you) for calling\b", 1.0),
        (r"\bwelcome to\b", 1.0),
        (r"\b\w+'s (?:phone|cell|mobile|voice)\b", 1.5),
        (r"\bsorry\b(?!.{0,20}\?)", 0.5),
        (r"\bat (?:the|this) (?:moment|time)\b|\bright now\b", 0.5),
        (r"\btext me\b|\bsend me a text\b", 1.0),
        (r"\bhas not (?:set|been set)\b|\bset ?up (?:a|their|his|her)\b", 2.0),
        (r"\bgoodbye\b", 1.0),
    ),
    screener=(
        (
            r"\b(?:state|say|record|give|leave|speak) (?:me )?your (?:full )?name (?:and|after|at)\b.{0,30}"
            r"\b(?:why|reason|purpose|calling|about|tone|beep|call)\b",
            4.0,
        ),
        (r"\b(?:state|say|record|speak) your (?:full )?name\b", 3.0),
        (r"\b(?:tell me|give me) your name\b", 2.5),
        (r"\b(?:reason for|purpose of) (?:your|the|this)? ?call", 2.5),
        (r"\bwhy you(?:'re| are) calling\b", 3.0),
        (r"\bscreens\b", 2.0),
        (r"\bscreen(?:ing|ed|s)?\b.{0,12}\bcalls?\b|\bcall.{0,12}screen|\bscreening\b|\bbeing screened\b", 4.0),
        (r"\bplease (?:say|state|tell).{0,12}\bwho(?:'s| is)? calling\b", 3.5),
        (r"\b(?:see|check) if (?:this|the|that) (?:person|\w+) is available\b", 3.0),
        (r"\bbefore (?:i|we) (?:connect|put) (?:you|your)\b", 1.5),
        (r"\bperson you(?:'re| are)? calling is using\b", 4.0),
    ),
    carrier=(
        (r"\b(?:not|no longer) in (?:service|use)\b|\bout of service\b", 4.0),
        (r"\b(?:been|is) disconnected\b", 4.0),
        (r"^(?:this|the) number\b", 1.0),
        (r"\bcall can ?(?:not|'t) be (?:completed|connected)\b|\bcannot be completed\b|\bas dial", 4.0),
        (r"\bcheck the number\b|\bconsult (?:the|your) directory\b|\bhang up and (?:try|dial)\b", 3.0),
        (r"\b(?:not|un) ?(?:recogni[sz]ed|allocated|assigned)\b|\bhas been changed\b|\binvalid number\b", 3.0),
    ),
    opening=(
        (rf"\b{_CALLEE} (?:that )?(?:you|your)\b", 3.0),
        (r"\bcustomer you\b|\bthe (?:mobile|cell|wireless|google) \w* ?(?:phone|number|customer|subscriber)\b", 3.0),
        (rf"\b{_NUMBER} (?:that )?you(?:'ve|'re| have| are)? ?(?:just )?(?:di\w+|call\w*|reached)\b", 3.0),
    ),
    beep=r"\b(?:tone|beep|bleep|signal)\b",
    introduction=r"^(?:hi|hello|hey)?(?: there)? ?(?:this is|it's|its|you)\b",
    full=r"\b(?:mailbox|voicemail|mail box)\b.*\b(?:is full|full|not (?:been )?set|not yet set)\b"
    r"|\bcan ?not accept (?:any |new )*messages\b|\bnot set ?up\b.{0,20}\b(?:voice|mail)",
    holding=r"\bplease (?:hold|wait|stand by)\b|\bstay on the line\b|\b(?:hold|hang) on\b"
    r"|\b(?:one|a) (?:moment|second|minute)\b"
    r"|\bconnect\w*\b|\b(?:see|check|find out) if\b|\btrying to\b|\bthank you\b|\bthanks\b",
)

GERMAN: Final = Phrases(
    human=(
        (r"\bguten (?:tag|morgen|abend)\b", 0.5),
        (r"\bwer (?:ist|spricht)\b|\bam apparat\b|\bwas kann ich\b", 2.0),
        (r"^ja\b|\bhallo\?", 1.0),
        (r"\bmoment\b|\bwie kann ich\b", 1.5),
    ),
    machine=(
        (r"\bmailbox\b|\bsprachbox\b|\banrufbeantworter\b", 3.0),
        (r"\b(?:nachricht|namen|nummer)\b.{0,40}\b(?:hinterlassen|hinterl\w+|signalton|piep\w*|ton)\b", 3.0),
        (r"\bnach dem (?:signal|ton|piep\w*|signalton)\b|\bhinterlassen sie\b", 3.0),
        (r"\b(?:nicht|leider nicht) (?:erreichbar|da|zu hause)\b|\bnicht entgegennehmen\b", 2.0),
        (r"\bder (?:gewünschte )?(?:teilnehmer|gesprächspartner)\b", 3.0),
        (r"\bdrücken sie\b|\bnächste freie\b|\baußerhalb unserer\b", 3.0),
    ),
    screener=((r"\bnennen sie (?:bitte )?ihren namen\b", 3.0),),
    carrier=((r"\b(?:kein anschluss|nicht vergeben|diese rufnummer)\b", 4.0), (r"\bgewählte (?:ruf)?nummer\b", 3.0)),
    beep=r"\b(?:signalton|ton|piep\w*)\b",
)
FRENCH: Final = Phrases(
    human=((r"^(?:oui|allô|allo)\b", 1.0), (r"\bqui est\b|\bà l'appareil\b|\bje vous écoute\b|\bpuis-je\b", 2.0)),
    machine=(
        (r"\b(?:messagerie|répondeur|boîte vocale)\b", 3.0),
        (r"\blaiss\w+ (?:moi |nous |-moi |-nous )?(?:un|votre|vos)\b", 3.0),
        (r"\baprès le (?:bip|signal)\b", 3.0),
        (r"\b(?:pas disponible|indisponible|absent\w*)\b", 2.0),
        (r"\b(?:correspondant|abonné) (?:que )?vous\b|\bvotre correspondant\b", 3.0),
        (r"\b(?:tapez|appuyez sur)\b", 3.0),
    ),
    carrier=(
        (r"\bnuméro que vous avez (?:composé|demandé)\b", 3.0),
        (r"\bpas attribué\b|\bn'est plus (?:en service|attribué)\b", 4.0),
    ),
    beep=r"\b(?:bip|signal)\b",
)
SPANISH: Final = Phrases(
    human=((r"^(?:sí|diga|dígame|bueno|aló)\b", 1.5), (r"\bquién (?:es|habla)\b|\ben qué puedo\b", 2.0)),
    machine=(
        (r"\bbuzón\b|\bcontestador\b", 3.0),
        (r"\b(?:deje|deja|dejar|grabe) (?:su|tu|un|me un)\b", 3.0),
        (r"\bdespués (?:de la señal|del tono)\b|\bal oír la señal\b", 3.0),
        (r"\bno (?:está|se encuentra) disponible\b|\bno puedo atender\b", 2.0),
        (r"\b(?:marque|pulse|oprima) (?:el |la )?\w+\b", 3.0),
    ),
    carrier=(
        (r"\bnúmero (?:que )?(?:usted )?(?:ha )?(?:marcado|marcó)\b", 3.0),
        (r"\bno (?:existe|corresponde)\b", 3.0),
    ),
    beep=r"\b(?:señal|tono)\b",
)
ITALIAN: Final = Phrases(
    human=((r"^(?:pronto|sì)\b", 1.5), (r"\bchi (?:è|parla)\b|\bcome posso\b|\bmi dica\b", 2.0)),
    machine=(
        (r"\bsegreteria\b|\bcasella vocale\b", 3.0),
        (r"\blascia\w* (?:un|il|i)\b.{0,20}\b(?:messaggio|nome|recapito)\b", 3.0),
        (r"\bdopo il (?:segnale|bip|tono)\b", 3.0),
        (r"\b(?:cliente|utente) (?:da lei )?(?:chiamato|desiderato)\b", 3.0),
        (r"\bnon (?:è|e) (?:al momento )?(?:raggiungibile|disponibile)\b|\bnon posso rispondere\b", 2.0),
        (r"\b(?:prema|digiti|premere)\b", 3.0),
    ),
    carrier=(
        (r"\bnumero (?:da lei )?(?:selezionato|composto|chiamato)\b", 3.0),
        (r"\b(?:inesistente|non (?:è )?attivo)\b", 3.0),
    ),
    beep=r"\b(?:segnale|bip|tono)\b",
)
LANGUAGES: Final[Mapping[str, Phrases]] = {
    "en": ENGLISH,
    "de": GERMAN,
    "fr": FRENCH,
    "es": SPANISH,
    "it": ITALIAN,
}


def read_greeting(text: str, language: str = "en") -> Reading:
    """What these words, the beginning of a greeting or all of it, say of who answered. `language`: ISO 639-1."""
    text = " ".join(text.lower().replace("’", "'").split())
    if not text:
        return Reading()
    phrases = LANGUAGES.get(language, ENGLISH)
    bare = re.sub(r"[^\w' ?]", "", text.replace("-", " "))
    human = sum(weight for weight, _ in _found(phrases.human, bare))
    others = {
        Party.CARRIER: _found(phrases.carrier, bare),
        Party.SCREENER: _found(phrases.screener, bare),
        Party.MACHINE: _found(phrases.machine, bare),
    }
    opening = _found(phrases.opening, bare)
    every = sorted([found for one in others.values() for found in one] + opening, reverse=True)
    introduced = bool(re.search(phrases.introduction, bare))
    holding = bool(re.search(phrases.holding, bare))
    if not every:
        return Reading(human=human, introduced=introduced, holding=holding)
    party = max(others, key=lambda one: sum(weight for weight, _ in others[one]))
    return Reading(
        human,
        sum(weight for weight, _ in every),
        party if others[party] else Party.MACHINE,
        every[0][1],
        telling=every[0][0] >= CERTAIN or sum(weight >= STRONG for weight, _ in every) >= 2,
        specific=any(weight >= SPECIFIC for weight, _ in others[party]),
        introduced=introduced,
        beep_promised=bool(re.search(phrases.beep, bare)),
        full=bool(re.search(phrases.full, bare)),
        holding=holding,
    )


def _found(phrases: Sequence[tuple[str, float]], text: str) -> list[tuple[float, str]]:
    """The phrases that are there: their weights and words."""
    matches = ((weight, re.search(pattern, text)) for pattern, weight in phrases)
    return [(weight, match[0].strip()) for weight, match in matches if match is not None]
