"""The questions that a data card answers.

Source:
    Gebru et al., "Datasheets for Datasets" (2021), section 3, whose questions these are, in fewer words.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question of the datasheet.

    Attributes:
        name: what an author's answer goes by.
        text: the question.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Topic:
    """Some questions that belong together."""

    title: str
    questions: tuple[Question, ...]


def _topic(title: str, **questions: str) -> Topic:
    return Topic(title, tuple(Question(name.replace("_", "-"), text) for name, text in questions.items()))


TOPICS = (
    _topic(
        "Motivation",
        purpose="For what was the data set made? Was there a task in mind, or a gap to be filled?",
        creators="Who made it, and on whose behalf?",
        funding="Who paid for it?",
    ),
    _topic(
        "Composition",
        instances="What does a sample stand for?",
        size="How many are there?",
        sampling="Does it hold all there is, or a part? How was the part chosen?",
        content="What does a sample consist of?",
        labels="Are there labels?",
        missing="Is anything missing from samples, and why?",
        relationships="Are relations between samples told?",
        splits="Are there splits for training and evaluation?",
        errors="Which errors, noise and repetitions are known?",
        self_contained="Does it stand alone, or does it depend on things elsewhere?",
        confidential="May it hold what is confidential?",
        offensive="May it hold what offends, insults, threatens or frightens?",
        people="Does it tell groups of people apart, by age or sex for one?",
        identifiable="Can persons be identified?",
        sensitive="May it hold what is sensitive: health, belief, origin, whereabouts?",
    ),
    _topic(
        "Collection",
        acquisition="How was it acquired?",
        mechanism="By what means, and how were they checked?",
        strategy="If it is a sample of something larger, by which strategy?",
        workers="Who collected it, and how were they paid?",
        timeframe="From what time is it?",
        review="Was it reviewed by an ethics board?",
        consent="Were the persons concerned told, and did they consent?",
        revocation="Can they take their consent back?",
        impact="Has its effect on the persons concerned been analysed?",
    ),
    _topic(
        "Preprocessing, cleaning, labelling",
        preprocessing="What was done to the data?",
        raw="Has the raw data been kept?",
        software="Is the software for it available?",
    ),
    _topic(
        "Uses",
        used="Has it been used already?",
        repository="Is there a list of papers and systems that use it?",
        other_uses="For what else could it be used?",
        limits="What about its making may matter for later uses?",
        unsuitable="For what should it not be used?",
    ),
    _topic(
        "Distribution",
        recipients="Will others get it, and who?",
        channel="How, and under which identifier?",
        date="When?",
        terms="Under which licence or terms of use?",
        third_parties="Have others rights in it?",
        export="Do export controls or other rules apply?",
    ),
    _topic(
        "Maintenance",
        maintainer="Who maintains it?",
        contact="How can they be reached?",
        errata="Is there a list of errata?",
        updates="Will it be updated: corrected, extended, reduced?",
        retention="Are there limits on how long it may be kept?",
        older_versions="Will older versions be kept?",
        contributions="Can others extend it?",
    ),
)
