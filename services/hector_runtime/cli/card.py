"""`hector card`: what an agent says of itself, who vouches for it, and vouching for a card of one's own."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from .documented import Documented, flag
from .exits import ASKING, Exit
from .options import format_option, server_options, source_of
from .running import run

if TYPE_CHECKING:
    from hector_a2a.card_signing import Checked
    from hector_a2a.keys import PublicKey

Card = dict[str, Any]
COVERED = {
    "1.0": "the members of A2A 1.0",
    "document": "every member",
    "a2a-sdk": "the members of A2A 1.0 that are not empty, as a2a-sdk signs them",
}
TARGET = "The agent's name, the URL of an agent or of its card, or a file."


@click.group("card")
def command() -> None:
    """Show, verify and sign agent cards.

    A card is named by an agent of the server at --url, by the URL of an agent or of the card itself, or by a
    file ("-" is standard input). A credential from the environment goes to the server at --url only.
    """


@command.command(
    "show",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector card show", "The default agent's, of the server at the default address."),
        ("hector card show writer --extended", "One agent's, with what only its callers see."),
        ("hector card show https://agents.example.com/agents/writer -f json", "Somebody else's."),
    ),
)
@click.argument("target", required=False, default="")
@flag("-e", "--extended", is_flag=True, help="The card for authenticated callers, of an agent at --url.")
@flag(
    "--a2a-version",
    "version",
    type=click.Choice(["1.0", "0.3"]),
    show_default="as the server likes",
    help="Ask for the card of this version of A2A.",
)
@format_option("text", "json")
@server_options
def show(target: str, extended: bool, version: str | None, form: str, **options: Any) -> None:
    """Print an agent's card. Its signatures are shown, and not checked: see `hector card verify`."""
    from .card_source import card_at, extended_card

    source = source_of(options)
    work = extended_card(source, target) if extended else card_at(source, target, version)
    card = run(work)
    if form == "json":
        click.echo(json.dumps(card, indent=2, ensure_ascii=False))
        return
    from .info import lines

    for line in lines(_told(card)):
        click.echo(line)


@command.command(
    "verify",
    cls=Documented,
    exits={
        **ASKING,
        Exit.DONE: "a trusted key made one of the signatures",
        Exit.FAILED: "none did, a part of what it signed was changed, or the card could not be checked; "
        "the message says why",
    },
    examples=(
        (
            "hector card verify https://agents.example.com/agents/writer --jwks trusted.json",
            "Against keys that were fetched once, and are trusted since.",
        ),
        ("hector card verify card.json --key partner.pem -f json", "A file against one key, for a script."),
    ),
)
@click.argument("target")
@flag("--jwks", metavar="FILE|URL", multiple=True, help="Trust the keys of this JSON Web Key Set.")
@flag("--key", metavar="FILE", multiple=True, help="Trust the key in this PEM or JWK file.")
@format_option("text", "json")
@server_options
def verify(target: str, jwks: tuple[str, ...], key: tuple[str, ...], form: str, **options: Any) -> None:
    """Check who signed an agent's card, against keys that you name.

    Keys to which the card itself points (`jku`) are never fetched: whoever forges a card forges those too.
    """
    if not jwks and not key:
        raise click.UsageError("a signature is worth as much as the key: name one with --jwks or --key")
    source = source_of(options)

    async def work() -> "tuple[Card, list[Checked]]":
        from hector_a2a.card_signing import check

        from .card_source import card_at, keys_at

        keys: list[PublicKey] = []
        for place in (*jwks, *key):
            keys += await keys_at(source, place)
        card = await card_at(source, target)
        return card, check(card, keys)

    card, checked = run(work())
    valid = any(one.form for one in checked)
    changed = _is_changed(card, checked)
    if form == "json":
        click.echo(json.dumps(_verdict(card, checked), indent=2, ensure_ascii=False))
    else:
        for one in checked:
            what = f"covers {COVERED[one.form]}" if one.form else one.why
            named = f"{one.key_id or '(no id)'} ({one.algorithm or 'no algorithm'})"
            click.echo(f"{'valid' if one.form else 'not valid'}: {named}: {what}")
        name = card.get("name", target)
        if changed:
            told = "its members of A2A 0.3 were changed since it was signed, or another key signed them"
            click.echo(f"The card of {name!r} cannot be trusted: {told}.")
        elif valid:
            click.echo(f"The card of {name!r} is signed by a key that you trust.")
            if _is_partly_signed(card, checked):
                click.echo("Its members of A2A 0.3 are not: rely on those of 1.0 only.")
        else:
            why = "none of its signatures is valid" if checked else "it has no signatures"
            click.echo(f"The card of {name!r} cannot be trusted: {why}.")
    sys.exit(Exit.DONE if valid and not changed else Exit.FAILED)


@command.command(
    "sign",
    cls=Documented,
    examples=(
        ("hector card sign card.json --key card.pem --key-id 2026-11 > signed.json", "Sign it."),
        ("hector card sign signed.json --key next.pem --key-id 2027-01", "Add a second key's signature."),
    ),
)
@click.argument("file")
@flag("--key", required=True, metavar="FILE", help="PEM file with the private key (P-256 or Ed25519).")
@flag("--key-id", required=True, metavar="ID", help="The key's name for those who check.")
@flag(
    "--algorithm", type=click.Choice(["ES256", "EdDSA"]), show_default="what the key is for", help="Its use."
)
def sign(file: str, key: str, key_id: str, algorithm: Any) -> None:
    """Print a card with a key's signature; signatures of other keys stay. FILE is JSON, "-" standard input.

    A Hector server signs its own agents' cards: see `server.a2a.signing`.
    """

    async def work() -> Card:
        from hector_a2a.card_signing import signatures_of, signer_in
        from hector_a2a.keys import signing_key

        from .card_source import card_in, read

        card = card_in(read(file), file)
        private = signing_key(read(key), key_id, algorithm, where=key)
        others = [one for one in card.get("signatures", ()) if signer_in(one) != key_id]
        return card | {"signatures": [*others, *signatures_of(card, [private])]}

    click.echo(json.dumps(run(work()), indent=2, ensure_ascii=False))


def _verdict(card: Card, checked: "list[Checked]") -> dict[str, Any]:
    return {
        "name": card.get("name", ""),
        "valid": any(one.form for one in checked),
        "partly": _is_partly_signed(card, checked),
        "changed": _is_changed(card, checked),
        "signatures": [
            {
                "keyId": one.key_id,
                "algorithm": one.algorithm,
                "valid": one.form is not None,
                **({"form": one.form} if one.form else {"why": one.why}),
            }
            for one in checked
        ],
    }


def _is_partly_signed(card: Card, checked: "list[Checked]") -> bool:
    """Say whether a card has members of A2A 0.3 that none of its valid signatures covers."""
    from hector_a2a.canonical import forms_of

    valid = {one.form for one in checked} - {None}
    return bool(valid) and "document" in forms_of(card) and "document" not in valid


def _is_changed(card: Card, checked: "list[Checked]") -> bool:
    """Say whether a trusted key has signed more of a card than what is still as it was signed."""
    return _is_partly_signed(card, checked) and any(one.is_broken for one in checked)


def _told(card: Card) -> dict[str, Any]:
    """Return what people want to know of a card."""
    from hector_a2a.card_signing import signer_in

    capabilities = card.get("capabilities") or {}
    extended = capabilities.get("extendedAgentCard") or card.get("supportsAuthenticatedExtendedCard")
    schemes = card.get("securitySchemes") or {}
    signers = dict.fromkeys(signer_in(one) or "(unnamed)" for one in card.get("signatures") or ())
    return {
        "name": card.get("name", ""),
        "description": card.get("description", ""),
        "version": card.get("version", ""),
        "streaming": bool(capabilities.get("streaming")),
        "push_notifications": bool(capabilities.get("pushNotifications")),
        "extended_card": bool(extended),
        "extensions": [
            f"{one.get('uri', '')}{' (required)' if one.get('required') else ''}"
            for one in capabilities.get("extensions") or ()
        ],
        "reads": card.get("defaultInputModes", []),
        "writes": card.get("defaultOutputModes", []),
        "security": list(schemes),
        "signed_by": list(signers),
        "interfaces": list(_interfaces(card)),
        "skills": [
            {
                "name": skill.get("id", ""),
                "description": skill.get("description", ""),
                "tags": skill.get("tags"),
            }
            for skill in card.get("skills") or ()
        ],
    }


def _interfaces(card: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for one in card.get("supportedInterfaces") or ():
        name = f"{one.get('protocolBinding')} {one.get('protocolVersion')}"
        yield {"name": name, "url": one.get("url", ""), "tenant": one.get("tenant", "")}
    if not card.get("supportedInterfaces") and card.get("url"):
        version = ".".join(str(card.get("protocolVersion", "0.3")).split(".")[:2])
        yield {"name": f"{card.get('preferredTransport', 'JSONRPC')} {version}", "url": card["url"]}
        for one in card.get("additionalInterfaces") or ():
            yield {"name": f"{one.get('transport')} {version}", "url": one.get("url", "")}
