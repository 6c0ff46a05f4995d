"""What adapters know about PCM: in which of livemon's codecs a voice of some sample rate goes out, and one channel of many."""

import numpy as np

from ..codecs import Codec

_CODECS = (Codec.L16_8000, Codec.L16_16000, Codec.L16_24000, Codec.L16_48000)


def codec_for(sample_rate: int) -> Codec:
    """The codec in which a voice of that rate loses nothing, or the best that there is."""
    return next((codec for codec in _CODECS if codec.form.clock >= sample_rate), Codec.L16_48000)


def mono(pcm: bytes, channels: int) -> bytes:
    """s16le of `channels` interleaved channels, mixed to one."""
    if channels == 1:
        return pcm
    samples = np.frombuffer(pcm, dtype="<i2").reshape(-1, channels)
    return samples.mean(axis=1).astype("<i2").tobytes()
