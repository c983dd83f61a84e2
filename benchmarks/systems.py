"""What is compared: one small adapter a system, each importing its own package alone.

An adapter is opened once, then asked to hear a file or to speak phonemes: ``hear`` returns text, ``speak`` samples.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

THREADS = int(os.environ.get("BENCH_THREADS", "2"))
STYLE = "af_heart"
PROMPT, EOT = [50258, 50259, 50360, 50364], 50257  # of large-v3: start, English, transcribe, no times; end of text
SAMPLES = NDArray[np.float32]


class System(Protocol):
    """An opened system."""

    def hear(self, audio: str, beam: int, language: str, batch: int) -> str:
        """Text of a file."""

    def speak(self, phonemes: str, seed: int) -> SAMPLES:
        """24 kHz samples of a phoneme string."""


class Sonant:
    """Ours."""

    def __init__(self, model: str, dtype: str = "auto", engine: str = "auto", timed: bool = True, **_: Any) -> None:
        import sonant

        load = sonant.load_tts if model.startswith("kokoro") else sonant.load_asr
        self.options = {} if timed else {"without_timestamps": True}
        self.model = load(model, dtype=dtype, engine=engine, threads=THREADS)

    def hear(self, audio: str, beam: int, language: str, batch: int) -> str:
        options: dict[str, Any] = {**self.options, "beam_size": beam if beam > 1 else None}
        if batch > 1:
            options["batch_size"] = batch
        return self.model.transcribe(audio, language=language, **options).text

    def speak(self, phonemes: str, seed: int) -> SAMPLES:
        return self.model.speak(phonemes, STYLE, is_phonemes=True, seed=seed, trim=False).audio.samples

    def speak_many(self, phonemes: list[str], seed: int) -> SAMPLES:
        """Several strings in one call."""
        return np.concatenate(
            [
                one.audio.samples
                for one in self.model.speak_batch(phonemes, STYLE, is_phonemes=True, seed=seed, trim=False)
            ]
        )

    def stream(self, text: str) -> Iterator[SAMPLES]:
        """Chunks of a text as they come."""
        for chunk in self.model.stream(text, STYLE):
            yield chunk.audio.samples

    def force(self, features: SAMPLES, tokens: int) -> int:
        """Encode one window and decode so many tokens, whatever they are."""
        engine = self.model.engine
        memory = engine.fork(engine.encode(features), [0])
        said = np.array([PROMPT], np.int64)
        for _ in range(tokens):
            said = engine.step(memory, said)[:, :EOT].argmax(-1)[:, None]
        return tokens


class SonantSingly(Sonant):
    """Ours, with one call of the network for each string."""

    def speak_many(self, phonemes: list[str], seed: int) -> SAMPLES:
        """Several strings, one by one."""
        return np.concatenate([self.speak(one, seed) for one in phonemes])


class SonantCtc(Sonant):
    """Ours, on a CTC checkpoint."""

    def hear(self, audio: str, beam: int, language: str, batch: int) -> str:  # noqa: ARG002  greedy, one at a time
        return self.model.transcribe(audio).text


class FasterWhisper:
    """SYSTRAN/faster-whisper on CTranslate2."""

    def __init__(self, weights: str, dtype: str = "int8", **_: Any) -> None:
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        self.model = WhisperModel(weights, device="cpu", compute_type=dtype, cpu_threads=THREADS)
        self.batched = BatchedInferencePipeline(self.model)

    def hear(self, audio: str, beam: int, language: str, batch: int) -> str:
        if batch > 1:
            segments, _ = self.batched.transcribe(audio, beam_size=beam, language=language, batch_size=batch)
        else:
            segments, _ = self.model.transcribe(audio, beam_size=beam, language=language)
        return "".join(segment.text for segment in segments)

    def force(self, features: SAMPLES, tokens: int) -> int:
        """See ``Sonant.force``."""
        import ctranslate2

        network = self.model.model
        encoded = network.encode(ctranslate2.StorageView.from_array(features))
        (made,) = network.generate(
            encoded, [PROMPT], beam_size=1, max_length=2 * tokens, suppress_tokens=[EOT], suppress_blank=False
        )
        return len(made.sequences_ids[0])


class OpenaiWhisper:
    """openai/whisper on torch."""

    def __init__(self, weights: str, **_: Any) -> None:
        import torch
        import whisper

        torch.set_num_threads(THREADS)
        self.model = whisper.load_model(weights, device="cpu")

    def hear(self, audio: str, beam: int, language: str, batch: int) -> str:  # noqa: ARG002  it has no batches
        import soundfile

        samples, rate = soundfile.read(audio, dtype="float32")
        if rate != 16000:
            raise ValueError("the benchmark's files are 16 kHz")
        size = beam if beam > 1 else None
        return self.model.transcribe(samples, beam_size=size, language=language, fp16=False)["text"]


class WhisperCpp:
    """ggml-org/whisper.cpp through pywhispercpp."""

    def __init__(self, weights: str, **_: Any) -> None:
        from pywhispercpp.model import Model

        self.model = Model(weights, n_threads=THREADS, print_progress=False, print_realtime=False)

    def hear(self, audio: str, beam: int, language: str, batch: int) -> str:  # noqa: ARG002  it has no batches
        options: dict[str, Any] = {"language": language}
        if beam > 1:
            options["beam_search"] = {"beam_size": beam, "patience": -1.0}
        return "".join(segment.text for segment in self.model.transcribe(audio, **options))


class OpenvinoGenai:
    """openvinotoolkit/openvino.genai."""

    def __init__(self, weights: str, **_: Any) -> None:
        import openvino_genai

        self.model = openvino_genai.WhisperPipeline(weights, "CPU", INFERENCE_NUM_THREADS=THREADS)
        self.multilingual = self.model.get_generation_config().is_multilingual

    def hear(self, audio: str, beam: int, language: str, batch: int) -> str:  # noqa: ARG002  it has no batches
        import soundfile

        samples, _rate = soundfile.read(audio, dtype="float32")
        # With times, as the others decode; without them it would cut long files every 30 s, be it inside a word.
        options: dict[str, Any] = {"return_timestamps": True, "num_beams": beam}
        if self.multilingual:
            options["language"] = f"<|{language}|>"
        return self.model.generate(samples, **options).texts[0]


class KokoroTorch:
    """hexgrad/kokoro on torch."""

    def __init__(self, weights: str, **_: Any) -> None:
        import torch
        from kokoro.model import KModel

        torch.set_num_threads(THREADS)
        folder = Path(weights)
        self.model = KModel("hexgrad/Kokoro-82M", str(folder / "config.json"), str(folder / "kokoro.pth")).eval()
        self.voice = torch.load(folder / f"{STYLE}.pt", weights_only=True)

    def speak(self, phonemes: str, seed: int) -> SAMPLES:
        import torch

        torch.manual_seed(seed)
        with torch.inference_mode():
            return self.model(phonemes, self.voice[len(phonemes) - 1], 1.0).numpy()


class KokoroOnnx:
    """thewh1teagle/kokoro-onnx on ONNX Runtime."""

    def __init__(self, weights: str, voices: str, **_: Any) -> None:
        import onnxruntime
        from kokoro_onnx import Kokoro

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        self.voice = np.load(voices)[STYLE] if voices.endswith(".npz") else np.load(voices)
        self.model = Kokoro.from_session(session, voices)

    def speak(self, phonemes: str, seed: int) -> SAMPLES:  # noqa: ARG002  it has no seed
        samples, _rate = self.model.create(phonemes, voice=self.voice, is_phonemes=True, trim=False)
        return samples

    def stream(self, text: str) -> Iterator[SAMPLES]:
        """Chunks of a text as they come; its phonemes are eSpeak NG's."""
        import asyncio

        loop, chunks = asyncio.new_event_loop(), self.model.create_stream(text, voice=self.voice)
        try:
            while True:
                try:
                    samples, _rate = loop.run_until_complete(anext(chunks))
                except StopAsyncIteration:
                    return
                yield samples
        finally:
            loop.close()


class SherpaOnnx:
    """k2-fsa/sherpa-onnx: Whisper, or Kokoro where the folder holds a ``model.onnx``.

    Whisper without times, which it leaves out unless asked. ``padding`` are the frames of silence after a clip: its own
    choice is 1000, fewer than the 30 s that the others fill up, so that a short clip costs less.
    """

    def __init__(self, weights: str, language: str = "en", padding: int = -1, **_: Any) -> None:
        import sherpa_onnx

        folder = Path(weights)
        tokens = str(folder / "tokens.txt")
        if (folder / "model.onnx").exists():
            kokoro = sherpa_onnx.OfflineTtsKokoroModelConfig(
                str(folder / "model.onnx"), str(folder / "voices.bin"), tokens
            )
            model = sherpa_onnx.OfflineTtsModelConfig(kokoro=kokoro, num_threads=THREADS)
            self.model = sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model))
            self.options = sherpa_onnx.GenerationConfig()
            self.options.silence_scale = 1.0  # pauses as the network makes them, and the whole string at once
            self.options.extra = {"max_codepoints_in_sentence": "510"}
        else:
            parts = [str(folder / f"{part}.int8.onnx") for part in ("encoder", "decoder")]
            self.model = sherpa_onnx.OfflineRecognizer.from_whisper(
                *parts, tokens, language=language, num_threads=THREADS, tail_paddings=padding
            )

    def hear(self, audio: str, beam: int, language: str, batch: int) -> str:  # noqa: ARG002  greedy, told when opened
        import soundfile

        stream = self.model.create_stream()
        samples, rate = soundfile.read(audio, dtype="float32")
        stream.accept_waveform(rate, samples)
        self.model.decode_stream(stream)
        return stream.result.text

    def speak(self, phonemes: str, seed: int) -> SAMPLES:  # noqa: ARG002  it has no seed
        self.options.phoneme_codepoints = [[ord(symbol) for symbol in phonemes]]
        return np.asarray(self.model.generate("", self.options).samples, np.float32)


class TransformersCtc:
    """huggingface/transformers' wav2vec 2.0 on torch; more than 20 s in windows, as its pipeline has it."""

    HOP, KEPT, CONTEXT = 320, 16 * 16000, 2 * 16000

    def __init__(self, weights: str, dtype: str = "float32", **_: Any) -> None:
        import torch
        from transformers import Wav2Vec2ForCTC

        torch.set_num_threads(THREADS)
        self.model = Wav2Vec2ForCTC.from_pretrained(weights, dtype=getattr(torch, dtype)).eval()

    def hear(self, audio: str, beam: int, language: str, batch: int) -> str:  # noqa: ARG002  greedy, one at a time
        import soundfile
        import torch

        samples, _rate = soundfile.read(audio, dtype="float32")
        samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        found = []
        for begin in range(0, max(len(samples) - 2 * self.CONTEXT, 1), self.KEPT):
            part = torch.from_numpy(samples[begin : begin + self.KEPT + 2 * self.CONTEXT])[None]
            with torch.inference_mode():
                logits = self.model(part.to(self.model.dtype)).logits[0]
            first = self.CONTEXT // self.HOP if begin else 0
            last = begin + part.shape[1] >= len(samples)
            found += logits.argmax(-1).tolist()[first : None if last else (self.CONTEXT + self.KEPT) // self.HOP]
        return " ".join(map(str, found))


SYSTEMS = {
    "sonant": Sonant,
    "sonant-singly": SonantSingly,
    "sonant-ctc": SonantCtc,
    "faster-whisper": FasterWhisper,
    "openai-whisper": OpenaiWhisper,
    "whisper.cpp": WhisperCpp,
    "openvino-genai": OpenvinoGenai,
    "kokoro": KokoroTorch,
    "kokoro-onnx": KokoroOnnx,
    "sherpa-onnx": SherpaOnnx,
    "transformers-ctc": TransformersCtc,
}
