"""A program of its own: speaks one text with the library of espeak-ng.

    python espeak_program.py LIBRARY DATA VOICE WORDS_PER_MINUTE <text >wav

espeak-ng stands under the GPL, version 3 or later; it is loaded here and nowhere else, and this file imports nothing
but Python's own modules. DATA is the directory of its voices, empty for the one that the library was built with. The
text is UTF-8; the sound is WAV with one channel. Ends with 1 and a line on standard error when it can't be spoken.
"""

from __future__ import annotations

import ctypes
import sys
import wave

_SYNCHRONOUS, _NO_EXIT, _UTF8, _RATE, _BY_CHARACTER = 2, 0x8000, 1, 1, 1
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def speak(library: str, data: str, voice: str, words_per_minute: int, text: bytes) -> tuple[bytes, int]:
    """The samples, 16 bit, and their rate in Hz. Raises OSError, RuntimeError."""
    espeak = ctypes.CDLL(library)
    rate = espeak.espeak_Initialize(_SYNCHRONOUS, 0, data.encode() or None, _NO_EXIT)
    if rate <= 0:
        raise RuntimeError(f"espeak-ng does not start with the voices in {data or 'its own directory'}")
    if espeak.espeak_SetVoiceByName(voice.encode()) != 0:
        raise RuntimeError(f"espeak-ng has no voice {voice}")
    heard = bytearray()

    def hear(samples: ctypes._Pointer[ctypes.c_short] | None, count: int, events: int | None) -> int:
        if samples and count:
            heard.extend(ctypes.string_at(samples, 2 * count))
        return 0

    callback = _Callback(hear)
    espeak.espeak_SetSynthCallback(callback)
    espeak.espeak_SetParameter(_RATE, words_per_minute, 0)
    text += b"\0"
    if espeak.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, _BY_CHARACTER, 0, _UTF8, None, None) != 0:
        raise RuntimeError("espeak-ng can't speak this text")
    espeak.espeak_Synchronize()
    return bytes(heard), rate


def main(arguments: list[str]) -> int:
    library, data, voice, words_per_minute = arguments
    try:
        samples, rate = speak(library, data, voice, int(words_per_minute), sys.stdin.buffer.read())
    except (OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    with wave.open(sys.stdout.buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.setnframes(len(samples) // 2)
        out.writeframesraw(samples)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
