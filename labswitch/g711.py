"""G.711: A-law and mu-law, 8 kHz, to and from 16-bit linear PCM in native byte order.

Both directions are one table look-up a sample, done by numpy; the tables are built at import from
the definitions in ITU-T G.711. (`audioop` does the same, but Python 3.13 took it away.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_MU_BIAS = 132
_MU_CLIP = 32635


@dataclass(frozen=True)
class Codec:
    """One G.711 law: name and payload type as in SDP (RFC 3551), and its tables."""

    name: str
    payload_type: int
    silence: int
    """The byte that stands for silence."""
    _linear: npt.NDArray[np.int16]
    _coded: npt.NDArray[np.uint8]

    def decode(self, payload: bytes) -> bytes:
        """Coded bytes to linear PCM, two bytes a sample."""
        return self._linear[np.frombuffer(payload, np.uint8)].tobytes()

    def encode(self, pcm: bytes) -> bytes:
        """Linear PCM to coded bytes, one byte a sample. `pcm` holds whole samples."""
        return self._coded[np.frombuffer(pcm, np.uint16)].tobytes()


def _alaw_linear() -> npt.NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent = (code >> 4) & 7
    mantissa = (code & 15) << 4
    magnitude = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _ulaw_linear() -> npt.NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 15) << 3) + _MU_BIAS) << ((code >> 4) & 7)) - _MU_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_coded() -> npt.NDArray[np.uint8]:
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    # Negative samples are mirrored at -0.5, as the law has no zero of its own.
    magnitude = np.where(sample >= 0, sample, -sample - 1) >> 4
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 3, 0)
    mantissa = np.where(exponent <= 1, magnitude, magnitude >> np.maximum(exponent - 1, 0)) & 15
    sign = np.where(sample >= 0, 0x80, 0)
    coded: npt.NDArray[np.uint8] = ((sign | (exponent << 4) | mantissa) ^ 0x55).astype(np.uint8)
    return coded


def _ulaw_coded() -> npt.NDArray[np.uint8]:
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(sample), _MU_CLIP) + _MU_BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 15
    sign = np.where(sample < 0, 0x80, 0)
    coded: npt.NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return coded


PCMA = Codec("PCMA", 8, 0xD5, _alaw_linear(), _alaw_coded())
PCMU = Codec("PCMU", 0, 0xFF, _ulaw_linear(), _ulaw_coded())

CODECS: dict[str, Codec] = {"PCMA": PCMA, "PCMU": PCMU}
"""What the lab switch speaks, the preferred one first."""
