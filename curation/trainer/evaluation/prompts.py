"""Class names and templates where a data set's folder has none of its own."""

from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES, OPENAI_IMAGENET_TEMPLATES

CLASS = "{c}"
"""What a template has where the class goes, as in CLIP_benchmark."""

PLAIN = ("a photo of a {c}.",)

IMAGENET_TEMPLATES = tuple(template(CLASS) for template in OPENAI_IMAGENET_TEMPLATES)

_CIFAR_TEMPLATES = tuple(
    text.format(article, c=CLASS)
    for article in ("a", "the")
    for text in (
        "a photo of {} {c}.",
        "a blurry photo of {} {c}.",
        "a black and white photo of {} {c}.",
        "a low contrast photo of {} {c}.",
        "a high contrast photo of {} {c}.",
        "a bad photo of {} {c}.",
        "a good photo of {} {c}.",
        "a photo of {} small {c}.",
        "a photo of {} big {c}.",
    )
)
_CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
_STL10 = "airplane bird car cat deer dog horse monkey ship truck"
_IMAGENETTE = (
    "tench,English springer,cassette player,chainsaw,church,French horn,garbage truck,gas pump,golf ball,"
    "parachute"
)
_CIFAR100 = (
    "apple,aquarium fish,baby,bear,beaver,bed,bee,beetle,bicycle,bottle,bowl,boy,bridge,bus,butterfly,camel,"
    "can,castle,caterpillar,cattle,chair,chimpanzee,clock,cloud,cockroach,couch,crab,crocodile,cup,dinosaur,dolphin,"
    "elephant,flatfish,forest,fox,girl,hamster,house,kangaroo,keyboard,lamp,lawn mower,leopard,lion,lizard,"
    "lobster,man,maple tree,motorcycle,mountain,mouse,mushroom,oak tree,orange,orchid,otter,palm tree,pear,"
    "pickup truck,pine tree,plain,plate,poppy,porcupine,possum,rabbit,raccoon,ray,road,rocket,rose,sea,seal,"
    "shark,shrew,skunk,skyscraper,snail,snake,spider,squirrel,streetcar,sunflower,sweet pepper,table,tank,"
    "telephone,television,tiger,tractor,train,trout,tulip,turtle,wardrobe,whale,willow tree,wolf,woman,worm"
)

CLASSNAMES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("imagenet1k", "imagenetv2", "imagenet_sketch"), tuple(IMAGENET_CLASSNAMES)),
    "cifar10": tuple(_CIFAR10.split()),
    "cifar100": tuple(_CIFAR100.split(",")),
    "mnist": tuple("0123456789"),
    "renderedsst2": ("negative", "positive"),
    "stl10": tuple(_STL10.split()),
    "imagenette": tuple(_IMAGENETTE.split(",")),
}
"""By `Task.key`. ImageNet-A, -O, -R and ObjectNet have fewer: which, only their own classnames.txt says."""

TEMPLATES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "imagenet1k",
            "imagenetv2",
            "imagenet_sketch",
            "imagenet_a",
            "imagenet_o",
            "imagenet_r",
            "objectnet",
            "imagenette",
        ),
        IMAGENET_TEMPLATES,
    ),
    **dict.fromkeys(("cifar10", "cifar100"), _CIFAR_TEMPLATES),
    "mnist": ('a photo of the number: "{c}".',),
    "renderedsst2": ("a {c} review of a movie.",),
    "stl10": ("a photo of a {c}.", "a photo of the {c}."),
}
"""By `Task.key`; others get `PLAIN`. Source: the prompts published with CLIP (data/prompts.md)."""


def fill(template: str, classname: str) -> str:
    """A template about a class; other braces in it stay."""
    return template.replace(CLASS, classname)
