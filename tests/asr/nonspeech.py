"""Sounds in which nobody speaks, at 16 kHz."""

import numpy as np

SCALE_HZ = (261.6, 293.7, 329.6, 349.2, 392.0, 440.0, 493.9, 523.3)


def note(size, hz, start_s, length_s, loudness, harmonics, decay):
    """One note with an attack of 10 ms and an exponential decay."""
    sound = np.zeros(size)
    first = int(start_s * 16_000)
    count = max(0, min(int(length_s * 16_000), size - first))
    time = np.arange(count) / 16_000
    envelope = np.exp(-decay * time) * np.minimum(1, time / 0.01)
    for harmonic in range(1, harmonics + 1):
        sound[first : first + count] += loudness / harmonic * np.sin(2 * np.pi * hz * harmonic * time) * envelope
    return sound


def sounds(seconds=30):
    """Name -> (N,) float32: silence, noises, hum, tones, and music of several kinds."""
    size = seconds * 16_000
    time = np.arange(size) / 16_000
    rng = np.random.default_rng(0)
    found = {"silence": np.zeros(size)}
    for loudness in (1e-4, 1e-3, 1e-2, 0.1, 0.5):
        found[f"white noise {loudness:g}"] = rng.standard_normal(size) * loudness
    spectrum = np.fft.rfft(rng.standard_normal(size))
    for name, slope in (("pink", 0.5), ("brown", 1.0)):
        shaped = np.fft.irfft(spectrum / np.arange(1, len(spectrum) + 1) ** slope)
        for loudness in (0.01, 0.1, 0.9):
            found[f"{name} noise {loudness:g}"] = shaped / np.abs(shaped).max() * loudness
    found["hum"] = 0.2 * np.sin(2 * np.pi * 50 * time) + 0.1 * np.sin(2 * np.pi * 150 * time)
    found["tone"] = 0.3 * np.sin(2 * np.pi * 440 * time)
    found["sweep"] = 0.3 * np.sin(2 * np.pi * (100 * time + 60 * time**2))
    found["clicks"] = (rng.random(size) < 1e-4) * 0.9
    vibrato = 2 * np.pi * 330 * time + 3 * np.sin(2 * np.pi * 5.5 * time)
    found["violin"] = sum(0.15 / harmonic * np.sin(harmonic * vibrato) for harmonic in range(1, 9))
    found["piano"] = sum(note(size, SCALE_HZ[rng.integers(8)], i * 0.3, 0.6, 0.15, 6, 3.0) for i in range(seconds * 3))
    found["organ"] = sum(note(size, SCALE_HZ[rng.integers(8)], i * 0.5, 1.0, 0.15, 10, 0.2) for i in range(seconds * 2))
    found["chords"] = sum(
        note(size, hz, i * 2, 2.2, 0.08, 8, 0.5)
        for i in range(seconds // 2)
        for hz in (SCALE_HZ[i % 7] / 2, SCALE_HZ[(i + 2) % 8], SCALE_HZ[(i + 4) % 8])
    )
    drums = np.zeros(size)
    for beat in range(seconds * 2 - 1):
        drums[beat * 8000 : beat * 8000 + 3000] += rng.standard_normal(3000) * np.exp(-np.arange(3000) / 600) * 0.5
    found["drums"] = drums
    found["band"] = 0.6 * found["chords"] + 0.5 * drums + 0.5 * found["piano"]
    found |= _more(seconds, size, time, rng)
    return {name: np.asarray(sound, np.float32) for name, sound in found.items()}


def _more(seconds, size, time, rng):
    """Sounds that come nearer to a voice: arpeggios, strings, a choir's vowel, sirens, rain, applause, an engine."""
    found = {"siren": 0.4 * np.sin(2 * np.pi * 800 * time + 750 * np.sin(2 * np.pi * 0.4 * time))}
    found["telephone"] = 0.3 * (np.sin(2 * np.pi * 440 * time) + np.sin(2 * np.pi * 480 * time)) * (time % 6 < 2)
    found["arpeggio"] = sum(
        note(size, SCALE_HZ[i * 2 % 8] * (1 + (i % 16 > 7)), i * 0.2, 0.5, 0.2, 6, 4.0) for i in range(seconds * 5)
    )
    found["bass"] = sum(
        note(size, SCALE_HZ[rng.integers(8)] / 4, i * 0.5, 0.5, 0.3, 12, 2.0) for i in range(seconds * 2)
    )
    found["strings"] = sum(
        0.05 / harmonic * np.sin(harmonic * (2 * np.pi * hz * time + 3 * np.sin(2 * np.pi * (5 + 0.3 * i) * time + i)))
        for i, hz in enumerate((196, 247, 294, 392))
        for harmonic in range(1, 10)
    )
    sung = 2 * np.pi * 220 * time + 0.8 * np.sin(2 * np.pi * 5 * time)
    spectrum = np.fft.rfft(sum(np.sin(harmonic * sung) for harmonic in range(1, 20)))
    hz = np.arange(len(spectrum)) / seconds
    vowel = sum(
        part * np.exp(-(((hz - peak) / width) ** 2))  # the formants of "ah"
        for peak, width, part in ((700, 120, 1), (1220, 150, 0.6), (2600, 250, 0.25))
    )
    found["choir"] = np.fft.irfft(spectrum * vowel, size) * 0.05
    found["rain"] = rng.standard_normal(size) * (0.02 + 0.3 * (rng.random(size) < 0.002))
    claps = np.zeros(size)
    for start in rng.integers(0, size - 800, seconds * 60):
        claps[start : start + 800] += rng.standard_normal(800) * np.exp(-np.arange(800) / 120) * 0.1
    found["applause"] = claps
    speed = 2 * np.pi * (30 * time + 4 * np.sin(2 * np.pi * 0.2 * time))
    found["engine"] = sum(0.2 / harmonic * np.sin(harmonic * speed) for harmonic in range(1, 25))
    found["chirps"] = 0.3 * np.sin(2 * np.pi * 2000 * time + 267 * np.sin(2 * np.pi * 3 * time)) * (time % 1 < 0.3)
    return found
