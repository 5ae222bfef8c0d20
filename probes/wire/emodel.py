"""How people would rate a call, from what its path does to it: the E-model. No I/O.

Source: ITU-T G.107 (06/2015), whose symbols the names follow, with the default values of its Table 2; Ie and Bpl of the codecs
from ITU-T G.113 Appendix I, Table I.4 (09/2024). Loss that comes in bursts is rated by BurstR (G.107 section 7.5). It rates
narrow-band speech between handsets: a number to compare paths by, not a promise to a room with loudspeakers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log2, log10, sqrt


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """What a codec does to speech by itself, and how well it takes losses."""

    ie: float
    """Equipment impairment factor without loss."""
    bpl: float
    """Packet-loss robustness factor, per cent."""
    frame_seconds: float
    """Speech in one packet, which is complete only at its end."""
    lookahead_seconds: float = 0.0


CODECS = {
    "g711": Codec(ie=0, bpl=4.3, frame_seconds=0.02),
    "g711-plc": Codec(ie=0, bpl=25.1, frame_seconds=0.02),
    "g729a": Codec(ie=11, bpl=19, frame_seconds=0.02, lookahead_seconds=0.005),
    "g723.1": Codec(ie=15, bpl=16.1, frame_seconds=0.03, lookahead_seconds=0.0075),
    "gsm-efr": Codec(ie=5, bpl=10, frame_seconds=0.02),
}
"""By name; `plc`: what was lost is concealed (G.711 Appendix I), as today's equipment does. G.729A and G.723.1 with silence suppression."""

_SLR, _RLR, _OLR = 8.0, 2.0, 10.0
_STMR, _LSTR = 15.0, 18.0
_DS, _NC, _NFOR, _PS, _PR = 3.0, -70.0, -64.0, 35.0, 35.0
_TELR, _WEPL = 65.0, 110.0
_QDU = 1.0


def _root(value: float, power: float) -> float:
    """(1 + valueᵖ)^(1/p), of which the model is full."""
    return float((1 + value**power) ** (1 / power))


def _sum_of_powers(*decibels: float) -> float:
    return 10 * log10(sum(10 ** (each / 10) for each in decibels))


def _noise() -> float:
    """No, the sum of all noise (section 7.2), in dBm0p."""
    nos = _PS - _SLR - _DS - 100 + 0.004 * (_PS - _OLR - _DS - 14) ** 2
    pre = _PR + 10 * log10(1 + 10 ** ((10 - _LSTR) / 10))
    nor = _RLR - 121 + pre + 0.008 * (pre - 35) ** 2
    return _sum_of_powers(_NC, nos, nor, _NFOR + _RLR)


def _simultaneous(ro: float, no: float, t: float) -> float:
    """Is: what happens together with the voice (section 7.3); `t` in ms."""
    xolr = _OLR + 0.2 * (64 + no - _RLR)
    iolr = 20 * (_root(xolr / 8, 8) - xolr / 8)
    stmro = -10 * log10(10 ** (-_STMR / 10) + exp(-t / 4) * 10 ** (-_TELR / 10))
    ist = 12 * _root((stmro - 13) / 6, 8) - 28 * _root((stmro + 1) / 19.4, 35) - 13 * _root((stmro - 3) / 33, 13) + 29
    q = 37 - 15 * log10(_QDU)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    y, z = (ro - 100) / 15 + 46 / 8.4 - g / 9, 46 / 30 - g / 40
    return iolr + ist + 15 * log10(1 + 10**y + 10**z)


def _delayed(ro: float, no: float, t: float) -> float:
    """Id: what delay and its echoes do (section 7.4), for an echo path as long as the delay `t` in ms."""
    terv = _TELR - 40 * log10((1 + t / 10) / (1 + t / 150)) + 6 * exp(-0.3 * t**2)
    apart = (-1.5 * (no - _RLR) - (80 + 2.5 * (terv - 14))) / 2
    talker = (apart + sqrt(apart**2 + 100) - 1) * (1 - exp(-t)) if t >= 1 else 0.0
    apart = (ro - 10.5 * (_WEPL + 7) / sqrt(sqrt(2 * t + 1))) / 2
    listener = apart + sqrt(apart**2 + 169)
    x = log2(t / 100) if t > 100 else 0.0
    return talker + listener + 25 * (_root(x, 6) - 3 * _root(x / 3, 6) + 2)


def effective_impairment(codec: Codec, loss_ratio: float, burst_ratio: float = 1.0) -> float:
    """Ie,eff (section 7.5): the codec with losses, of which `burst_ratio` (BurstR) is 1 when they are random."""
    ppl = loss_ratio * 100
    return codec.ie + (95 - codec.ie) * ppl / (ppl / burst_ratio + codec.bpl) if ppl else codec.ie


def rating(codec: Codec, *, loss_ratio: float, burst_ratio: float, delay_seconds: float) -> float:
    """R, from 0 to 100: losses that the listener hears, and the delay from mouth to ear."""
    t = delay_seconds * 1000
    no = _noise()
    ro = 15 - 1.5 * (_SLR + no)
    r = ro - _simultaneous(ro, no, t) - _delayed(ro, no, t) - effective_impairment(codec, loss_ratio, burst_ratio)
    return min(100.0, max(0.0, r))


def mean_opinion(r: float) -> float:
    """MOS of a rating, from 1 (bad) to 4.5 (section B.4)."""
    bounded = min(100.0, max(0.0, r))
    return max(1.0, 1 + 0.035 * bounded + bounded * (bounded - 60) * (100 - bounded) * 7e-6)
