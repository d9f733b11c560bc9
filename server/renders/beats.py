"""The outline of a short presenter's script, with a sentence for each beat that is true of anything.

A small language model fills the beats it can and these sentences stand where it fails, so that a script always comes
out whole. `{topic}` is what the prompt is about.
"""

from __future__ import annotations

from typing import Final

BEATS: Final = (
    "asks the viewers a question about {topic}",
    "says why people care about {topic}",
    "says who {topic} is for",
    "invites the viewers to find out more about {topic}",
)
"""What one sentence of the script does, for the model."""

SENTENCES: Final[dict[str, tuple[str, ...]]] = {
    "en": (
        "Hello and welcome! Today it is all about {topic}.",
        "Have you ever asked yourself what is really behind it?",
        "Let us take a closer look together.",
        "It is worth a moment of your time, because good choices begin with good information.",
        "What counts in the end is what it does for you, day after day.",
        "Think about what you need, and see how well it fits.",
        "Small things often make the biggest difference.",
        "Take your time, compare, and trust your own impression.",
        "If you have questions, ask them: that is how the best ideas begin.",
        "Share this with somebody who should know about it too.",
        "Now you know the most important things about {topic}.",
        "Thank you for watching, and see you next time!",
    ),
    "es": (
        "¡Hola y bienvenidos! Hoy hablamos de {topic}.",
        "¿Alguna vez te has preguntado qué hay realmente detrás?",
        "Vamos a verlo juntos un poco más de cerca.",
        "Vale la pena dedicarle un momento, porque las buenas decisiones empiezan con buena información.",
        "Al final, lo que cuenta es lo que hace por ti, día tras día.",
        "Piensa en lo que necesitas y mira si encaja contigo.",
        "Las cosas pequeñas suelen marcar la mayor diferencia.",
        "Tómate tu tiempo, compara y confía en tu propia impresión.",
        "Si tienes preguntas, hazlas: así empiezan las mejores ideas.",
        "Compártelo con alguien que también debería saberlo.",
        "Ahora ya sabes lo más importante.",
        "¡Gracias por vernos y hasta la próxima!",
    ),
    "fr": (
        "Bonjour et bienvenue ! Aujourd'hui, nous parlons d'un sujet : {topic}.",
        "Vous êtes-vous déjà demandé ce qu'il y a vraiment derrière ?",
        "Regardons cela ensemble d'un peu plus près.",
        "Cela vaut un instant de votre temps, car les bons choix commencent par de bonnes informations.",
        "Ce qui compte à la fin, c'est ce que cela vous apporte, jour après jour.",
        "Pensez à ce dont vous avez besoin et voyez si cela vous convient.",
        "Les petites choses font souvent la plus grande différence.",
        "Prenez votre temps, comparez et fiez-vous à votre impression.",
        "Si vous avez des questions, posez-les : les meilleures idées commencent ainsi.",
        "Partagez cette vidéo avec quelqu'un qui devrait aussi le savoir.",
        "Vous connaissez maintenant l'essentiel.",
        "Merci de nous avoir regardés, et à bientôt !",
    ),
    "it": (
        "Ciao e benvenuti! Oggi parliamo di un tema: {topic}.",
        "Vi siete mai chiesti che cosa c'è davvero dietro?",
        "Guardiamolo insieme un po' più da vicino.",
        "Vale un momento del vostro tempo, perché le buone scelte cominciano da buone informazioni.",
        "Alla fine conta quello che fa per voi, giorno dopo giorno.",
        "Pensate a quello che vi serve e guardate se fa per voi.",
        "Le piccole cose fanno spesso la differenza più grande.",
        "Prendetevi il tempo, confrontate e fidatevi della vostra impressione.",
        "Se avete domande, fatele: le idee migliori cominciano così.",
        "Condividete questo video con chi dovrebbe saperlo.",
        "Adesso conoscete le cose più importanti.",
        "Grazie per averci seguito, e alla prossima!",
    ),
    "pt": (
        "Olá e sejam bem-vindos! Hoje o assunto é {topic}.",
        "Você já se perguntou o que está realmente por trás disso?",
        "Vamos olhar juntos um pouco mais de perto.",
        "Vale um momento do seu tempo, porque boas escolhas começam com boas informações.",
        "No fim, o que conta é o que isso faz por você, dia após dia.",
        "Pense no que você precisa e veja se combina com você.",
        "As coisas pequenas costumam fazer a maior diferença.",
        "Tome o seu tempo, compare e confie na sua própria impressão.",
        "Se você tiver perguntas, faça: é assim que começam as melhores ideias.",
        "Compartilhe com alguém que também deveria saber.",
        "Agora você já conhece o mais importante.",
        "Obrigado por assistir e até a próxima!",
    ),
}
"""By ISO 639-1, in the order they are said: the first opens, the last closes, those between may be left out."""


def languages() -> tuple[str, ...]:
    """The languages in which a script can be put together without a capable model."""
    return tuple(sorted(SENTENCES))
