"""The shop's made-up customers: who they are, where they live, in what currency they pay. Always the same ones."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

CUSTOMERS = 4_000


@dataclass(frozen=True)
class Land:
    """A country the shop delivers to."""

    name: str
    currency: str
    tax_rate: Decimal
    dialling_code: str
    domain: str
    first_names: Sequence[str]
    last_names: Sequence[str]
    streets: Sequence[str]
    towns: Sequence[str]
    share: int
    """Of 100 customers, how many live there."""


@dataclass(frozen=True)
class Customer:
    """Somebody who orders."""

    name: str
    email: str
    phone: str | None
    website: str | None
    address: str
    land: Land


LANDS = (
    Land(
        "Germany",
        "EUR",
        Decimal("19.00"),
        "+49",
        "de",
        ("Jürgen", "Käthe", "Björn", "Anna", "Sören", "Ulrike", "Max", "Zoë"),
        ("Müller", "Groß", "Schäfer", "Öztürk", "Weiß", "Jäger", "Krüger", "von der Heide"),
        ("Hauptstraße", "Goethestraße", "Am Mühlenbach", "Schönhauser Allee"),
        ("10437 Berlin", "80331 München", "50667 Köln", "01067 Dresden"),
        34,
    ),
    Land(
        "United Kingdom",
        "GBP",
        Decimal("20.00"),
        "+44",
        "co.uk",
        ("Oliver", "Amelia", "Siân", "George", "Isla", "Niamh", "Harry", "Priya"),
        ("Smith", "O'Connor", "Patel", "Davies-Jones", "Taylor", "MacLeod", "Evans", "Hughes"),
        ("High Street", "Church Lane", "Station Road", "King's Road"),
        ("London SW3 4RP", "Leeds LS1 4DY", "Cardiff CF10 1EP", "Glasgow G2 1DY"),
        22,
    ),
    Land(
        "France",
        "EUR",
        Decimal("20.00"),
        "+33",
        "fr",
        ("Élodie", "François", "Chloé", "Jean-Luc", "Noël", "Hélène", "Rémi", "Aurélie"),
        ("Lefèvre", "D'Aubigné", "Dupont", "Gérard", "Benoît", "Moreau", "Châtelain", "Roux"),
        ("rue de l'Église", "avenue Foch", "boulevard Saint-Michel", "place du Marché"),
        ("75005 Paris", "69002 Lyon", "13001 Marseille", "67000 Strasbourg"),
        16,
    ),
    Land(
        "Poland",
        "PLN",
        Decimal("23.00"),
        "+48",
        "pl",
        ("Łukasz", "Małgorzata", "Paweł", "Zofia", "Michał", "Agnieszka", "Jan", "Żaneta"),
        ("Wiśniewski", "Dąbrowska", "Wójcik", "Zieliński", "Łuczak", "Kowalczyk", "Szymańska", "Król"),
        ("ul. Długa", "ul. Świętojańska", "al. Solidarności", "ul. Żelazna"),
        ("00-238 Warszawa", "31-147 Kraków", "80-831 Gdańsk", "50-102 Wrocław"),
        12,
    ),
    Land(
        "United States",
        "USD",
        Decimal("8.25"),
        "+1",
        "com",
        ("Emma", "Liam", "José", "Ava", "Noah", "Mei", "Ethan", "Renée"),
        ("Johnson", "García", "Nguyen", "O'Neill", "Brown", "Kim", "Muñoz", "Baker"),
        ("Main Street", "Oak Avenue", "Sunset Blvd", "5th Avenue"),
        ("Austin, TX 78701", "Portland, OR 97205", "New York, NY 10003", "Chicago, IL 60601"),
        11,
    ),
    Land(
        "Japan",
        "JPY",
        Decimal("10.00"),
        "+81",
        "jp",
        ("陽菜", "蓮", "Haruto", "葵", "Yui", "健太", "Sakura", "翔"),
        ("佐藤", "鈴木", "Takahashi", "田中", "Watanabe", "伊藤", "中村", "Kobayashi"),
        ("銀座", "梅田", "Sakae-chō", "天神"),
        ("東京都 104-0061", "大阪府 530-0001", "Nagoya 460-0008", "福岡県 810-0001"),
        5,
    ),
)


def customers(dice: random.Random) -> list[Customer]:
    """Everybody who orders."""
    shares = [land.share for land in LANDS]
    return [_customer(number, dice, dice.choices(LANDS, shares)[0]) for number in range(1, CUSTOMERS + 1)]


def _customer(number: int, dice: random.Random, land: Land) -> Customer:
    first, last = dice.choice(land.first_names), dice.choice(land.last_names)
    name = f"{last} {first}" if land.name == "Japan" else f"{first} {last}"
    mailbox = f"{_ascii(first)}.{_ascii(last)}".strip(".") or "customer"
    address = f"{dice.choice(land.streets)} {dice.randint(1, 180)}\n{dice.choice(land.towns)}\n{land.name}"
    return Customer(
        name=name,
        email=f"{mailbox}.{number}@example.{land.domain}",
        phone=f"{land.dialling_code} {dice.randint(20, 99)} {dice.randint(1_000_000, 9_999_999)}"
        if dice.random() < 0.85
        else None,
        website=f"https://www.{_ascii(last) or 'shop'}-{number}.example.{land.domain}/"
        if dice.random() < 0.1
        else None,
        address=address,
        land=land,
    )


def _ascii(name: str) -> str:
    """The letters of a name as an e-mail address has them."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("ł", "l").replace("Ł", "L"))
    return "".join(letter for letter in plain.lower() if letter.isascii() and letter.isalpha())
