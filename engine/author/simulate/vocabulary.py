"""Words that look like a company's own: APIs, teams, people, hosts, sentences; all hosts are reserved ones."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random

# fmt: off
DOMAINS = (
    "payments", "orders", "customers", "inventory", "catalog", "shipping", "invoices", "accounts", "loyalty",
    "search", "pricing", "identity", "notifications", "returns", "refunds", "subscriptions", "profiles",
    "documents", "stores", "promotions", "bookings", "claims", "quotes", "partners", "reports", "devices",
    "telemetry", "vouchers", "wallet", "transfers", "consents", "statements", "addresses", "reviews", "fleet",
    "tickets",
)
KINDS = ("v1", "v2", "v3", "internal", "mobile", "partner")
TIERS = ("free", "standard", "premium", "partner", "internal")
CLIENTS = (
    "checkout-web", "mobile-ios", "mobile-android", "partner-portal", "store-kiosk", "data-sync", "call-center",
    "back-office", "smart-tv", "price-watch", "erp-bridge", "courier-app", "chat-bot", "warehouse-scanner",
    "loyalty-card", "report-export", "admin-console",
)
TEAMS = ("checkout", "platform", "identity", "logistics", "growth", "risk", "data", "mobile")
ENVIRONMENTS = ("prod-eu", "prod-us", "staging", "test", "dev", "sandbox", "perf", "demo")
GROUPS = ("public", "partners", "internal", "mobile", "legacy", "sandbox", "backoffice", "edge")
REGIONS = ("europe-west1", "europe-north1", "us-east1", "us-central1", "asia-south1")
FIRST = (
    "Ada", "Björn", "Chen", "Dalia", "Emil", "Fatima", "Goran", "Hana", "Ines", "Jonas", "Keiko", "Luis", "Mara",
    "Nadia", "Omar", "Priya", "Quentin", "Rosa", "Sven", "Tariq", "Uma", "Viktor", "Wanda", "Yara", "Zoe",
)
LAST = (
    "Abel", "Brandt", "Costa", "Duarte", "Ekström", "Fischer", "Greco", "Haddad", "Ivanova", "Jansen", "Kim",
    "Lindqvist", "Moreau", "Novak", "Okafor", "Petrov", "Quinn", "Rossi", "Sato", "Torres", "Ueda", "Varga",
    "Weber", "Yilmaz", "Zhang",
)
POLICIES = (
    "Verify-API-Key", "OAuth-Verify-Token", "JWT-Verify", "Spike-Arrest", "Quota-Product", "JSON-Threat-Protection",
    "Regex-Threat-Protection", "CORS", "Assign-Message", "Extract-Path", "Raise-Fault", "Log-Message",
    "Response-Cache", "Key-Lookup",
)
FLOWS = (
    "auth-common", "log-request", "error-format", "threat-checks", "cors-headers", "trace-ids", "rate-limits",
    "mask-data", "oauth-token", "audit-trail",
)
# fmt: on
FINDINGS = (
    "Brute guessing of keys",
    "Scraping by one client",
    "Robot traffic at night",
    "Flood of failed sign-ins",
    "Unusual rate of errors",
    "Requests from an anonymous network",
    "Static list of paths tried",
    "Tokens used from many places",
)
ACTIONS = ("block-scrapers", "deny-anonymous", "flag-robots", "block-key", "allow-partners", "deny-flood")
SENTENCES = (
    "Owned by the team that runs it in production.",
    "Used by partners; changes are announced two weeks before.",
    "Moved from the old gateway, to be cleaned up.",
    "Internal only, behind the private network.",
    "Add a policy that checks the caller.",
    "Review who may use it and retire what nobody calls.",
)
METHODS = ("GET", "GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE")

Maker = Callable[[Random], str]


def api(rng: Random) -> str:
    """`payments-v1`."""
    kind = rng.choice(KINDS)
    return f"{rng.choice(DOMAINS)}-{kind}"


def person(rng: Random) -> str:
    """`Ada Brandt`."""
    return f"{rng.choice(FIRST)} {rng.choice(LAST)}"


def email_of(name: str) -> str:
    """`ada.brandt@example.com`, always the same for one name."""
    plain = name.lower().translate(str.maketrans("öäüéñ", "oauen"))
    host = ("example.com", "example.org", "partners.example.net")[sum(map(ord, name)) % 3]
    return f"{re.sub('[^a-z]+', '.', plain)}@{host}"


def host(rng: Random) -> str:
    """`payments.api.example.com`."""
    return f"{rng.choice(DOMAINS)}.{rng.choice(('api', 'gateway', 'eu', 'services'))}.example.com"


def path(rng: Random) -> str:
    """`/payments/v1`."""
    return f"/{rng.choice(DOMAINS)}/v{rng.randint(1, 3)}"


def operation(rng: Random) -> str:
    """`/orders/{id}/status`."""
    return f"/{rng.choice(DOMAINS)}{rng.choice(('', '/{id}', '/{id}/status', '/search', '/{id}/items'))}"


def address(rng: Random) -> str:
    """An IP address out of the ranges for documentation."""
    return f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randint(1, 254)}"


def hexadecimal(rng: Random, digits: int = 32) -> str:
    """So many hexadecimal digits."""
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def identifier(rng: Random) -> str:
    """A UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def secret(rng: Random) -> str:
    """What looks like a key and opens nothing."""
    return f"simulated-{hexadecimal(rng, 24)}"


def _one(words: Sequence[str]) -> Maker:
    return lambda rng: rng.choice(words)


NOUNS: tuple[tuple[str, Maker], ...] = (
    (r"(.* )?e?mail", lambda rng: email_of(person(rng))),
    (r"hostname|host|domain|fqdn", host),
    (r"ip|ip ?address|remote ?address", address),
    (r"basepath|base ?path", path),
    (r"path|resource|route|pattern", operation),
    (r"(.* )?(url|uri|link|href|website)", lambda rng: f"https://{host(rng)}{path(rng)}"),
    (r"(.* )?(uuid|guid)", identifier),
    (r"(.* )?(secret|password|token|consumer ?key|api ?key|private ?key|pepper)", secret),
    (r"(.* )?(hash|digest|sha256|checksum|etag|fingerprint)", hexadecimal),
    (r"first ?name|given ?name", _one(FIRST)),
    (r"last ?name|family ?name|surname", _one(LAST)),
    (r"(.* )?(user ?name|login|account ?name)", lambda rng: email_of(person(rng)).partition("@")[0]),
    (r"service ?account", lambda rng: f"{rng.choice(DOMAINS)}@services.example.com"),
    (r"(.* )?(owner|author|creator|created ?by|modified ?by|updated ?by|assignee)", lambda rng: email_of(person(rng))),
    (r"(.* )?(env|stage)|.*environment", _one(ENVIRONMENTS)),
    (r"(.* )?(policy|policie)", _one(POLICIES)),
    (r".*flow", _one(FLOWS)),
    (r"(.* )?(endpoint|target|server)", _one(("default", "default", "backend-eu", "backend-us", "fallback"))),
    (r".*product|(.* )?(plan|package)", lambda rng: f"{rng.choice(DOMAINS)}-{rng.choice(TIERS)}"),
    (r"(.* )?(app|application|client|consumer)", lambda rng: f"{rng.choice(CLIENTS)}-{rng.randint(1, 40)}"),
    (r"(.* )?(developer|person|user|contact|member)", person),
    (r"(.* )?(team|department|squad|unit|space)", _one(TEAMS)),
    (r"(.* )?(incident|alert|finding|issue|vulnerability|risk|threat|detection|anomaly)", _one(FINDINGS)),
    (r"(.* )?(action|rule|control)", lambda rng: f"{rng.choice(ACTIONS)}-{rng.randint(1, 99)}"),
    (r".*group|(.* )?(collection|folder|category)", _one(GROUPS)),
    (r"(.* )?(api|proxy|service|repository|repo|project|component)", api),
    (r"(.* )?(region|location|zone)", _one(REGIONS)),
    (r"country", _one(("DE", "FR", "US", "IN", "BR", "SE"))),
    (r"(.* )?(method|verb)", _one(METHODS)),
    (r"(.* )?scope", lambda rng: f"{rng.choice(DOMAINS)}:{rng.choice(('read', 'write'))}"),
    (r"(.* )?(tag|label|keyword)", _one((*TEAMS, "pci", "beta", "legacy", "gdpr"))),
    (r"(.* )?(version|release)", lambda rng: f"{rng.randint(1, 4)}.{rng.randint(0, 12)}.{rng.randint(0, 9)}"),
    (r"(.* )?(revision|build|sequence|position|index|number)", lambda rng: str(rng.randint(1, 12))),
    (r"(.* )?(description|summary|message|text|comment|note|recommendation|details?|reason|doc)", _one(SENTENCES)),
    (r"(.* )?(status|state|phase|lifecycle)", _one(("active", "active", "active", "inactive"))),
    (r"(.* )?(severity|level|priority)", _one(("low", "low", "medium", "medium", "high"))),
    (r"currency", _one(("EUR", "USD", "SEK"))),
    (r"(.* )?(id|key|code|ref|reference)", identifier),
    (r"(.* )?(quota|limit|count|total|amount)", lambda rng: str(rng.choice((100, 500, 1_000, 5_000, 10_000)))),
    (r"(.* )?(condition|monitor|watch|profile|policy set)", lambda rng: f"watch-{rng.choice(DOMAINS)}"),
)
COMPILED = tuple((re.compile(pattern), make) for pattern, make in NOUNS)
OWN_NAMES = re.compile(r"name|title|label|display ?name|full ?name|slug|text|value")


@lru_cache(maxsize=8192)
def words(name: str) -> str:
    """`developerEmail` and `developer_email` -> `developer email`."""
    return " ".join(piece.lower() for piece in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name))


def singular(word: str) -> str:
    """`proxies` -> `proxy`."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


@lru_cache(maxsize=8192)
def noun(name: str) -> str:
    """The singular of a name, in words."""
    *first, last = words(name).split() or ["thing"]
    return " ".join([*first, singular(last)])


def say(abouts: Sequence[str], of: str, rng: Random) -> str | None:
    """A text that fits one of its names, or where that is only `name`, the noun of what it belongs to; else None."""
    for about in (*abouts, of):
        for form in [of] if OWN_NAMES.fullmatch(about) else [about, re.sub(r" (name|title)$", "", about)]:
            for pattern, make in COMPILED:
                if pattern.fullmatch(form):
                    return make(rng)
    return None


def coin(what: str, rng: Random) -> str:
    """A name for something that there are no words for: `payments-observation`."""
    return f"{rng.choice(DOMAINS)}-{what.split()[-1]}"


def like(example: str, rng: Random) -> str:
    """Another text of the same form: digits and hexadecimal pieces change, words stay."""
    if "/" in example and "://" not in example:
        front, slash, last = example.rpartition("/")
        return front + slash + like(last, rng) if last else example
    if re.fullmatch(r"[^@\s]+@[^@\s]+", example):
        return email_of(person(rng))
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", example):
        return identifier(rng)

    def other(found: re.Match[str]) -> str:
        text = found.group()
        if text.isdigit():
            first = str(rng.randint(1, 9))
            return first + "".join(str(rng.randint(0, 9)) for _ in text[1:])
        return hexadecimal(rng, len(text))

    return re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{6,}\b|\d+", other, example)
