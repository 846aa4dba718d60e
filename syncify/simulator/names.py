"""Invented names of artists, albums and songs, in the manner of a few styles of music."""

from dataclasses import dataclass
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True, slots=True)
class Style:
    """A style of music: its words for names, the length of its songs, and its first year."""

    genres: tuple[str, ...]
    since: int
    seconds: tuple[int, int]
    explicit: float
    bands: float  # share of bands among the artists
    words: tuple[str, ...]


STYLES = (
    Style(("indie rock", "indie pop"), 1994, (150, 290), 0.05, 0.7, _words(
        "Bicycles Postcards Haircut Basement Cassette Summer Motel Sidewalk Cardigan Fireworks")),
    Style(("jazz", "vocal jazz"), 1956, (180, 560), 0.0, 0.35, _words(
        "Blues Waltz Avenue Midnight Ballad Smoke Hat Corner Velvet Quarter")),
    Style(("electronic", "house"), 1991, (200, 470), 0.02, 0.5, _words(
        "Signal Circuit Pulse Voltage Neon Orbit Static Prism Modulation Parallel")),
    Style(("folk", "singer-songwriter"), 1963, (130, 300), 0.01, 0.3, _words(
        "River Harvest Lantern Orchard Wren Hollow Kettle Ferry Meadow Ashes")),
    Style(("hip hop", "rap"), 1988, (140, 270), 0.6, 0.25, _words(
        "Crown Corner Ledger Receipts Rooftop Hustle Gospel Block Chain Interlude")),
    Style(("metal", "progressive metal"), 1981, (220, 620), 0.08, 0.95, _words(
        "Cinder Throne Monolith Eclipse Serpent Iron Abyss Oath Furnace Wither")),
    Style(("soul", "funk"), 1962, (150, 330), 0.02, 0.4, _words(
        "Sugar Honey Mercy Groove Sunday Sunshine Heartbeat Telephone Promise Fever")),
    Style(("ambient", "modern classical"), 1978, (160, 700), 0.0, 0.3, _words(
        "Tide Glacier Study Dust Aurora Interval Stillness Vapour Prelude Shore")),
    Style(("pop", "dance pop"), 1979, (140, 250), 0.12, 0.2, _words(
        "Diamonds Mirror Heart Weekend Lipstick Satellite Paradise Crush Forever Tonight")),
    Style(("post-punk", "new wave"), 1978, (150, 340), 0.06, 0.9, _words(
        "Concrete Telegram Curtain Factory Radio Marble Ministry Escalator Grey Silence")),
)  # fmt: skip

_FIRST = _words(
    "Alma Bram Clio Dario Elke Fenna Gwen Hollis Inés Jørun Kasper Lieve Mirek Nadja Orla Pelle "
    "Quentin Rosalie Sanne Tove Ulla Viggo Wanda Xenia Yara Zeno Åse Núria Émile Søren Teodora "
    "Malik Imani Kofi Amara Ravi Leila Joaquín Mei Haruto Sefa Noor Tariq Zuri"
)
_LAST = _words(
    "Ahlberg Bellweather Corvino Dunmore Eskelund Farrow Grimaldi Hathersage Iversby Jansma "
    "Kestrel Lindqvist Marlowe Norrbo Okafor Pemberly Quist Ravn Solheim Tamsin Ulverston "
    "Vantongeren Wexcombe Yarrow Zielonka Çelik Moreau Adeyemi Brandão Castellanos Öström Várkonyi"
)
_ADJECTIVE = _words(
    "Amber Borrowed Broken Crooked Distant Electric Empty Fading Folded Gentle Golden Hollow "
    "Hidden Idle Late Little Lonely Midnight Northern Paper Patient Quiet Restless Salted Second "
    "Silver Sleeping Slow Southern Sudden Tidal Velvet Violet Wandering Winter Wooden Burning "
    "Careless Foreign Heavy Honest Invisible Perfect Plastic Reckless Sacred Stolen Tender Wild"
)
_NOUN = _words(
    "Airfields Almanac Anchors Avenues Bells Birches Bridges Cathedrals Cinema Copper Daylight "
    "Engines Ferries Fields Gardens Harbours Headlights Houses Islands Kites Ladders Lanterns "
    "Letters Maps Mirrors Motels Orchards Oceans Parades Photographs Rivers Satellites Shadows "
    "Signals Sparrows Stations Strangers Thunder Trains Weather Windows Arrows Ghosts Kingdoms "
    "Machines Neighbours Promises Rooms Secrets Sirens Tigers Wolves"
)
_ENDINGS = ("Tomorrow", "Again", "Without You", "by the Sea", "at Dawn", "for Now", "Back Home")
_CALLS = (
    "Don't Wait Up", "Call Me Back", "Stay a While", "Tell Me Twice", "Leave the Light On",
    "Nothing Left to Prove", "Any Other Day", "Where We Used to Live", "Say It Slowly",
    "Half Past Never", "You Were There", "All of the Above", "Not the Last Time",
)  # fmt: skip
_PLACES = _words(
    "Lisbon Oslo Marseille Detroit Kyoto Tangier Reykjavík Turin Glasgow Havana Berlin"
)


def artist_name(random: Random, style: Style) -> str:
    if random.random() >= style.bands:
        return f"{random.choice(_FIRST)} {random.choice(_LAST)}"
    adjective, noun = random.choice(_ADJECTIVE), random.choice(_NOUN)
    word = random.choice(style.words)
    return random.choice(
        (
            f"The {adjective} {noun}",
            f"{adjective} {noun}",
            f"{word} {noun}",
            f"The {word} {random.choice(('Club', 'Quartet', 'Society', 'Brothers', 'Sisters'))}",
            f"{random.choice(_LAST)} & {random.choice(_LAST)}",
            f"{random.choice(_PLACES)} {word}",
        )
    )


def title(random: Random, style: Style) -> str:
    adjective, noun, word = (
        random.choice(_ADJECTIVE),
        random.choice(_NOUN),
        random.choice(style.words),
    )
    match random.randrange(10):
        case 0:
            return f"{adjective} {noun} {random.choice(_ENDINGS)}"
        case 1:
            return f"{noun} {random.choice(_ENDINGS)}"
        case 2:
            return f"{noun} and {random.choice(_NOUN)}"
        case 3:
            return random.choice(_CALLS)
        case 4:
            return f"{word} {random.choice(_ENDINGS)}"
        case 5:
            return f"{adjective} {word}"
        case 6:
            return word
        case 7:
            return f"{random.choice(_PLACES)}, {word}"
    return f"{adjective} {noun}"


def place(random: Random) -> str:
    return random.choice(_PLACES)
