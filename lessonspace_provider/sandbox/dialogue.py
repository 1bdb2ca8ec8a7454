# SPDX-License-Identifier: Apache-2.0
"""The words of the sandbox's school: people, subjects, and what is said in a lesson.

All made up. The languages and scripts are there because programs that handle transcripts meet them.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from lessonspace_provider.sandbox.messages import Segment, Speaker

TEACHERS: tuple[str, ...] = (
    "Margaret O'Neill",
    "Jürgen Weiß",
    "Hélène Garçon-Dupré",
    "José Ñuñez Ibáñez",
    "Łukasz Żółkiewski",
    "ليلى الحسن",
    "佐藤 花子",
    "נועה בן-דוד",
)

STUDENTS: tuple[str | None, ...] = (
    "Amelia Clarke",
    "Noah Whitfield",
    "Zoë Ångström",
    "Finn Müller",
    "Mia Schäfer",
    "Lea Großmann",
    "Chloé Lefèvre",
    "Théo Bœuf",
    "Inès Kaçar",
    "Lucía Peña",
    "Íñigo Etxeberria",
    "Martina Güell",
    "Zofia Wójcik",
    "Stanisław Gęś",
    "Małgorzata Ćwik",
    "يوسف العلي",
    "مريم خليل",
    "田中 太郎",
    "鈴木 さくら",
    "王小明",
    "李娜",
    None,
    "איתי כהן",
    "תמר לוי",
    "Smith, Oliver",
    "Ava / Mum's iPad",
    "ethan 🦖",
    "Sofia R.",
    "Kwame Mensah",
    "Nguyễn Thị Ánh",
    "Björk Ólafsdóttir",
    "Šárka Dvořáková",
    "İpek Yılmaz",
    "Anaïs d'Arc",
    "X",
    "Maximilian Alexander von Hohenberg-Sonnenfeld",
    "Олена Коваль",
    "Γιώργος Παππάς",
    "priya   patel",
    'Tom "TJ" Jones',
)

SPACE_NAMES: tuple[str | None, ...] = (
    "Maths 7b / Algebra",
    "Deutsch für Anfänger",
    "Français – niveau B1",
    None,
    "Física 🔭 avanzada",
    "Język polski, klasa 4",
    "اللغة العربية للمبتدئين",
    "日本語 初級",
    "Piano (Tues/Thurs)",
    "שיעור מתמטיקה",
    "Science & nature",
    "中文会话",
    "",
    "Reading club 📚✨",
    "11+ prep: verbal \\ non-verbal",
    "GCSE Biology - 1:1",
)

SUBJECTS: tuple[str, ...] = ("Maths", "german", "French", "physics", "Polish", "Arabic", "Japanese", "music")


@dataclass(frozen=True)
class _Language:
    teacher: tuple[str, ...]
    student: tuple[str, ...]


_LANGUAGES: dict[str, _Language] = {
    "en": _Language(
        (
            "Right, let's start with the homework from last week.",
            "Can you read question {n} out loud for me?",
            "Good, so what do we do with the {n} on the left-hand side?",
            "Take your time, there's no hurry at all.",
            "Exactly! You've got it 👏",
            "Nearly. Have another look at the second line, the one with the {n} in it.",
            "I'll share my screen so we can both see page {n}.",
            "You're on mute, I can't hear you.",
            "For next time, please finish exercises {n} to {m}, and write down anything that felt hard.",
        ),
        (
            "Um, I think it's {n}?",
            "Sorry, my internet was gone for a second.",
            "Can you say that again, please?",
            "Oh! So I have to divide both sides by {n}.",
            "I did {n} of them, but the last ones were really tricky.",
            "Yes.",
            "Is it because the {n} is negative?",
            "My little brother just walked in 😅",
        ),
    ),
    "de": _Language(
        (
            "Guten Morgen! Hast du die Übungen auf Seite {n} gemacht?",
            "Sehr schön. Und wie heißt der Artikel zu „Mädchen“?",
            "Lies bitte den Satz Nummer {n} noch einmal vor.",
            "Fast richtig: nach „weil“ steht das Verb am Ende.",
            "Größer, am größten, genau.",
            "Bis nächste Woche schreibst du bitte {n} Sätze über dein Wochenende.",
        ),
        (
            "Ja, aber Nummer {n} habe ich nicht verstanden.",
            "Das Mädchen, weil es auf -chen endet?",
            "Können Sie das bitte wiederholen?",
            "Ich weiß es nicht mehr so genau.",
            "Äh, {n} oder {m}?",
            "Ach so, jetzt verstehe ich’s!",
        ),
    ),
    "fr": _Language(
        (
            "Bonjour ! On reprend à la page {n}, d'accord ?",
            "Très bien. Et au passé composé, ça donne quoi ?",
            "Attention à l'accord : elles sont allées, avec « -ées ».",
            "Écoute bien, je répète : où étais-tu hier soir ?",
            "Pour lundi, tu apprends les {n} mots de la liste.",
            "Parfait, c'est exactement ça.",
        ),
        (
            "J'ai fait {n} phrases, mais je ne suis pas sûre.",
            "Ça s'écrit avec un ç ?",
            "Euh… j'ai été à la plage ?",
            "Je n'entends plus rien, il y a un écho.",
            "D'accord, j'ai compris !",
            "C'est {n} ou {m} ?",
        ),
    ),
    "es": _Language(
        (
            "¡Hola! ¿Qué tal el fin de semana?",
            "Muy bien. ¿Y cuánto es {n} por {m}?",
            "Fíjate en la tilde: «está» no es lo mismo que «esta».",
            "Vamos a ver el ejercicio {n} otra vez, más despacio.",
            "¡Eso es! Lo has hecho fenomenal 🎉",
            "Para mañana, los deberes son las páginas {n} y {m}.",
        ),
        (
            "No sé, creo que son {n}.",
            "¿Puede repetirlo, por favor?",
            "Se me ha ido la conexión un momento.",
            "¡Ah, vale! Ya lo entiendo.",
            "El niño… los niños, en plural.",
            "¿Seguro que no es {m}?",
        ),
    ),
    "pl": _Language(
        (
            "Dzień dobry, zaczynamy od zadania {n}.",
            "Świetnie! A jak to będzie w dopełniaczu?",
            "Spójrz jeszcze raz na {n}. wiersz, tam jest błąd.",
            "Źdźbło trawy, powtórz proszę.",
            "Na przyszły tydzień przeczytaj strony od {n} do {m}.",
        ),
        (
            "Wydaje mi się, że {n}.",
            "Przepraszam, nie słyszałam pytania.",
            "Czy mogę prosić o powtórzenie?",
            "Aha, teraz już rozumiem!",
            "Mam tylko {n} zdań, to wystarczy?",
        ),
    ),
    "ar": _Language(
        (
            "صباح الخير، هل أنهيتَ الواجب؟",
            "اقرأ السطر رقم {n} من فضلك.",
            "ممتاز! والآن ما معنى هذه الكلمة؟",
            "لا بأس، حاول مرة أخرى.",
            "في الدرس القادم سنراجع الصفحات من {n} إلى {m}.",
        ),
        (
            "نعم، لكن السؤال {n} كان صعبًا.",
            "أظن أن الجواب هو {n}.",
            "هل يمكنك أن تعيد من فضلك؟",
            "آه، فهمت الآن!",
            "الصوت متقطع قليلًا.",
        ),
    ),
    "he": _Language(
        (
            "בוקר טוב, נתחיל מתרגיל {n}.",
            "מצוין! ומה קורה כשמחלקים ב-{n}?",
            "תקראי בבקשה את השורה השנייה.",
            "כמעט. תבדקי שוב את הסימן.",
            "לשיעור הבא: עמודים {n} עד {m}.",
        ),
        (
            "אני חושבת שזה {n}.",
            "אפשר לחזור על זה בבקשה?",
            "אה, עכשיו הבנתי!",
            "לא שמעתי, הייתה בעיה באינטרנט.",
            "זה {n} או {m}?",
        ),
    ),
    "ja": _Language(
        (
            "おはようございます。宿題はできましたか?",
            "では、{n}ページを開いてください。",
            "よくできました。もう一度、ゆっくり読んでみましょう。",
            "「は」と「が」の違いに気をつけてくださいね。",
            "来週までに漢字を{n}個覚えてきてください。",
        ),
        (
            "はい、でも{n}番がわかりませんでした。",
            "すみません、もう一度お願いします。",
            "えっと、{n}ですか?",
            "あ、わかりました!",
            "音が途切れました。",
        ),
    ),
    "zh": _Language(
        (
            "我们先看第{n}题。",
            "很好,请你再读一遍。",
            "注意声调,是第四声。",
            "下次课之前,请写{n}个句子。",
            "对,就是这样!",
        ),
        (
            "我觉得答案是{n}。",
            "老师,我没听清楚。",
            "哦,我明白了!",
            "是{n}还是{m}?",
            "这个字怎么写?",
        ),
    ),
}

LANGUAGES: tuple[str, ...] = tuple(_LANGUAGES)


def make_segments(
    random: Random, language: str, speakers: list[Speaker], seconds: float, at_least_bytes: int | None = None
) -> list[Segment]:
    """Make up what was said in a lesson.

    :param random: where all chance comes from.
    :param language: one of :data:`LANGUAGES`; now and then a person says a sentence of another one.
    :param speakers: who speaks; the first speaks as a teacher.
    :param seconds: how long the lesson was.
    :param at_least_bytes: as UTF-8 JSON, the file is to be at least so large; None = 20 to 400 segments.
    """
    count = min(400, max(20, int(seconds / 9)))
    segments: list[Segment] = []
    size = 0
    while len(segments) < count if at_least_bytes is None else size < at_least_bytes:
        segment = _make_segment(random, language, speakers)
        segments.append(segment)
        size += len(segment["text"].encode()) + 60
    _spread(random, segments, seconds)
    return segments


def _make_segment(random: Random, language: str, speakers: list[Speaker]) -> Segment:
    teaches = len(speakers) == 1 or random.random() < 0.6
    speaker = speakers[0] if teaches else random.choice(speakers[1:])
    phrases = _LANGUAGES[language if random.random() < 0.93 else random.choice(LANGUAGES)]
    sentences = random.choices(phrases.teacher if teaches else phrases.student, k=random.choice((1, 1, 2, 3, 5)))
    first, second = random.randint(2, 60), random.randint(61, 120)
    text = " ".join(sentence.format(n=first, m=second) for sentence in sentences)
    return {"start_time": 0.0, "end_time": 0.0, "user": speaker, "breakout_id": "main", "text": text}


def _spread(random: Random, segments: list[Segment], seconds: float) -> None:
    """Give the segments their times: in order, now and then overlapping, within the lesson."""
    step = seconds / len(segments)
    for number, segment in enumerate(segments):
        start = step * (number + random.uniform(0.0, 0.4))
        length = step * random.uniform(0.3, 1.5)
        segment["start_time"] = round(start, 2)
        segment["end_time"] = round(min(start + length, seconds), 2)
