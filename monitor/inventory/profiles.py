"""Pure: profiles as they are written → profiles, each laid over the one that it is `like`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monitor.inventory.schema import ProfileModel
from monitor.inventory.templates import merge
from monitor.yamlfile import Key, Layers, Problem, Source, fit

Raw = Mapping[str, tuple[Source, Mapping[str, object]]]
"""By name: where it is written, and what."""


@dataclass(frozen=True, slots=True)
class Written:
    """A profile that is in form, and where its parts stand."""

    layers: Layers
    """Its own place, then that of what it is like, and so on."""
    model: ProfileModel

    def at(self, *below: Key) -> Layers:
        """Where something of it stands."""
        return [(source, (*base, *below)) for source, base in self.layers]


def read_profiles(raw: Raw) -> tuple[dict[str, Written], list[Problem]]:
    """Those that are in form, and what is wrong with the others; of a `like` that names nothing the caller has told."""
    good: dict[str, Written] = {}
    problems: list[Problem] = []
    for name, (source, _) in raw.items():
        chain = list(_chain(name, raw))
        if chain[-1] in chain[:-1]:
            text = f"is like itself: {' → '.join(chain)}"
            problems.append(source.problem(("profiles", name, "like"), text, "take one `like` out"))
            continue
        if isinstance(raw[chain[-1]][1].get("like"), str):  # of which there is none
            continue
        layers: Layers = [(raw[each][0], ("profiles", each)) for each in chain]
        model, wrong = fit(layers, ProfileModel, _whole(chain, raw))
        problems += wrong
        if model is not None:
            good[name] = Written(layers, model)
    return good, problems


def _chain(name: str, raw: Raw) -> Iterator[str]:
    """The profile, what it is like, and so on; the last one again when it goes round."""
    seen: set[str] = set()
    while True:
        yield name
        if name in seen:
            return
        seen.add(name)
        like = raw[name][1].get("like")
        if not isinstance(like, str) or like not in raw:
            return
        name = like


def _whole(chain: list[str], raw: Raw) -> object:
    own = raw[chain[0]][1]
    if len(chain) == 1:
        return own
    whole: object = {}
    for each in reversed(chain[1:]):
        whole = merge(whole, {key: value for key, value in raw[each][1].items() if key not in ("like", "fits")})
    return merge(whole, own)
