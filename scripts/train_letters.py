"""Train the letter-to-sound model for English words that no dictionary has, from the dictionaries themselves.

    python scripts/train_letters.py align ALIGNED.npz                        # letters <-> sounds, Viterbi EM (numba)
    python scripts/train_letters.py train ALIGNED.npz STATE.pt --minutes 4  # torch; goes on from STATE.pt
    python scripts/train_letters.py save ALIGNED.npz STATE.pt src/sonant/text/data/letters.npz

Each letter says 0 to 3 sounds; which ones, and which stress the vowel has, is read off a small convolution over
letters. One word in 20 (by the checksum of its spelling, in both accents alike) is held out; ``save`` prints how many
of those the shipped weights read exactly as the dictionary.
"""

from __future__ import annotations

import argparse
import gzip
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

from sonant.text.g2p import letters
from sonant.text.g2p.english_stress import PRIMARY, SECONDARY

DATA = Path(__file__).parents[1] / "src/sonant/text/data"
LONGEST = 3  # sounds of one letter
RARE = 25  # chunks seen less often are left out, and their words with them
WIDTH, KERNEL, DILATIONS = 128, 5, (1, 2, 4, 1, 2)
BATCH = 512


def words(accent: str) -> list[tuple[str, str]]:
    """Spelling in lower case and phonemes of every entry that is one plain word with one reading."""
    lines = gzip.decompress((DATA / f"lexicon_{accent}.txt.gz").read_bytes()).decode().splitlines()
    found = {}
    for line in lines:
        word, _, reading = line.partition("\t")
        plain = word.isascii() and word.isalpha() and 2 < len(word) < 25 and word[1:] == word[1:].lower()
        if plain and "=" not in reading:
            found[word.lower()] = reading.lstrip("~").replace("ɾ", "T").replace("ʔ", "t")
    return sorted(found.items())


def strip(phonemes: str) -> tuple[str, str]:
    """Sounds without marks, and the stress of each sound: "0", "1" (primary) or "2"."""
    sounds, marks, mark = "", "", "0"
    for symbol in phonemes:
        if symbol in (PRIMARY, SECONDARY):
            mark = "1" if symbol == PRIMARY else "2"
        else:
            sounds, marks, mark = sounds + symbol, marks + mark, "0"
    return sounds, marks


def align(target: Path) -> None:
    from numba import njit

    entries = [(w, *strip(p), a) for a, accent in enumerate(("us", "gb")) for w, p in words(accent)]
    symbols = sorted({s for _, sounds, _, _ in entries for s in sounds})
    base = len(symbols) + 1
    number = {symbol: place for place, symbol in enumerate(symbols, 1)}
    entries = [e for e in entries if len(e[1]) <= LONGEST * len(e[0])]
    most = max(max(len(e[0]), len(e[1])) for e in entries)
    spelling = np.zeros((len(entries), most), np.int64)
    sound = np.zeros((len(entries), most), np.int64)
    sizes = np.array([(len(w), len(s)) for w, s, _, _ in entries])
    for row, (word, sounds, _, _) in enumerate(entries):
        spelling[row, : len(word)] = [ord(c) - 97 for c in word]
        sound[row, : len(sounds)] = [number[s] for s in sounds]

    @njit
    def viterbi(spelling, sound, sizes, score, base, counts, lengths):
        """Best split of each word's sounds among its letters; fills counts (letter, chunk) and chunk lengths."""
        best = np.zeros((32, 40))
        came = np.zeros((32, 40), np.int64)
        for row in range(len(spelling)):
            n, m = sizes[row]
            best[:, :] = -1e30
            best[0, 0] = 0
            for i in range(n):
                for j in range(m + 1):
                    if best[i, j] < -1e29:
                        continue
                    code = 0
                    for size in range(4):
                        if j + size > m:
                            break
                        if size:
                            code = code * base + sound[row, j + size - 1]
                        value = best[i, j] + score[spelling[row, i], code]
                        if value > best[i + 1, j + size]:
                            best[i + 1, j + size] = value
                            came[i + 1, j + size] = size
            j = m
            for i in range(n, 0, -1):
                size = came[i, j]
                lengths[row, i - 1] = size
                code = 0
                for k in range(size):
                    code = code * base + sound[row, j - size + k]
                counts[spelling[row, i - 1], code] += 1
                j -= size

    # Long chunks start dearer, so that sounds spread over the letters.
    codes = np.arange(base**LONGEST)
    score = np.broadcast_to(-1.0 - 2.0 * (codes >= base) - 3.0 * (codes >= base**2), (26, base**LONGEST)).copy()
    lengths = np.zeros_like(spelling)
    for turn in range(8):
        counts = np.zeros_like(score)
        viterbi(spelling, sound, sizes, score, base, counts, lengths)
        score = (
            np.log((counts + 1e-4) / (counts.sum(1, keepdims=True) + 1))
            - 0.5 * (codes >= base)
            - 1.0 * (codes >= base**2)
        )
        print(f"turn {turn + 1}: {np.count_nonzero(counts)} pairs")
    keep_chunks(entries, lengths, target)


def keep_chunks(entries: list, lengths: np.ndarray, target: Path) -> None:
    """Name the chunks and write what training reads."""
    cut = []
    for (word, sounds, marks, _), sizes in zip(entries, lengths, strict=True):
        row, place = [], 0
        for size in sizes[: len(word)]:
            row.append((sounds[place : place + size], max(marks[place : place + size], default="0", key="021".index)))
            place += size
        cut.append(row)
    counts = Counter(chunk for row in cut for chunk, _ in row)
    names = [chunk for chunk, count in counts.most_common() if count >= RARE]
    number = {chunk: place for place, chunk in enumerate(names)}
    good = [row for row, parts in enumerate(cut) if all(chunk in number for chunk, _ in parts)]
    most = max(len(entries[row][0]) for row in good)
    letters_, chunks, stress = (np.zeros((len(good), most), np.int16) for _ in range(3))
    for place, row in enumerate(good):
        size = len(cut[row])
        letters_[place, :size] = [ord(c) - 96 for c in entries[row][0]]
        chunks[place, :size] = [number[chunk] for chunk, _ in cut[row]]
        stress[place, :size] = [int(mark) for _, mark in cut[row]]
    held = np.array([zlib.crc32(entries[row][0].encode()) % 20 == 0 for row in good])
    accent = np.array([entries[row][3] for row in good])
    np.savez_compressed(target, letters=letters_, chunks=chunks, stress=stress, held=held, accent=accent, names=names)
    print(f"{len(good)} of {len(entries)} words, {len(names)} chunks, {held.sum()} held out")


def network(count: int):
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, dilation: int) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(WIDTH)
            self.wide = nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=dilation * (KERNEL // 2), dilation=dilation)
            self.out = nn.Linear(WIDTH, WIDTH)

        def forward(self, x, mask):
            y = self.norm(x) * mask
            y = self.wide(y.transpose(1, 2)).transpose(1, 2)
            return x + self.out(torch.relu(y))

    class Letters(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.letter = nn.Embedding(27, WIDTH)
            self.accent = nn.Embedding(2, WIDTH)
            self.blocks = nn.ModuleList(Block(dilation) for dilation in DILATIONS)
            self.norm = nn.LayerNorm(WIDTH)
            self.chunk = nn.Linear(WIDTH, count)
            self.stress = nn.Linear(WIDTH, 3)

        def forward(self, spelling, accent):
            mask = (spelling > 0).unsqueeze(-1).float()
            x = (self.letter(spelling) + self.accent(accent).unsqueeze(1)) * mask
            for block in self.blocks:
                x = block(x, mask)
            x = self.norm(x)
            return self.chunk(x), self.stress(x)

    return Letters()


def train(source: Path, state: Path, minutes: float, total_epochs: int) -> None:
    import torch
    import torch.nn.functional as F  # noqa: N812

    began = time.time()
    torch.manual_seed(0)
    data = np.load(source)
    taught = np.flatnonzero(~data["held"])
    tensors = {
        name: torch.from_numpy(data[name].astype(np.int64)) for name in ("letters", "chunks", "stress", "accent")
    }
    net = network(len(data["names"]))
    best = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    step, whole = 0, total_epochs * (len(taught) // BATCH)
    if state.exists():
        saved = torch.load(state)
        net.load_state_dict(saved["net"])
        best.load_state_dict(saved["best"])
        step = saved["step"]
    per_epoch = len(taught) // BATCH
    losses = []
    while step < whole and time.time() - began < minutes * 60:
        epoch, place = divmod(step, per_epoch)
        order = np.random.default_rng(epoch).permutation(taught)
        # Words of like length share a batch.
        sizes = (data["letters"][order] > 0).sum(1) + np.random.default_rng(epoch).random(len(order)) * 2
        batches = order[np.argsort(sizes)][: per_epoch * BATCH].reshape(per_epoch, BATCH)
        batches = batches[np.random.default_rng(epoch + 1).permutation(per_epoch)]
        for rows in batches[place:]:
            if time.time() - began > minutes * 60:
                break
            for group in best.param_groups:
                group["lr"] = 2.5e-3 * min(1, step / 500) * (0.5 + 0.5 * np.cos(np.pi * step / whole)) + 1e-5
            spelling = tensors["letters"][rows]
            size = int((spelling > 0).sum(1).max())
            mask = spelling[:, :size].reshape(-1) > 0
            chunk, stress = net(spelling[:, :size], tensors["accent"][rows])
            loss = F.cross_entropy(chunk.flatten(0, 1)[mask], tensors["chunks"][rows, :size].reshape(-1)[mask])
            loss = loss + F.cross_entropy(stress.flatten(0, 1)[mask], tensors["stress"][rows, :size].reshape(-1)[mask])
            best.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            best.step()
            losses.append(float(loss.detach()))
            step += 1
    torch.save({"net": net.state_dict(), "best": best.state_dict(), "step": step}, state)
    print(f"step {step} of {whole}, loss {np.mean(losses[-200:]):.4f}, {time.time() - began:.0f} s")


def save(source: Path, state: Path, target: Path) -> None:
    """Weights as int8 with a scale a row, and the score of the shipped file on the held-out words."""
    import torch

    data = np.load(source)
    packed = {"names": data["names"]}
    for name, tensor in torch.load(state)["net"].items():
        value = tensor.numpy()
        if name.endswith("wide.weight"):
            value = value.transpose(2, 1, 0).reshape(-1, value.shape[0])  # (out, in, k) -> (k * in, out)
        elif name.endswith("weight") and value.ndim == 2 and not name.startswith(("letter", "accent")):
            value = value.T
        if value.ndim == 2:
            scale = np.abs(value).max(0) / 127 + 1e-12
            packed[f"{name}:scale"] = scale.astype(np.float32)
            value = np.round(value / scale).astype(np.int8)
        packed[name] = value if value.dtype == np.int8 else value.astype(np.float32)
    np.savez_compressed(target, **packed)
    for accent, british in (("us", False), ("gb", True)):
        held = [(w, p) for w, p in words(accent) if zlib.crc32(w.encode()) % 20 == 0]
        model = letters.Letters(np.load(target))
        right = sum(model.read(word, british) == phonemes for word, phonemes in held)
        sounds = sum(strip(model.read(word, british))[0] == strip(phonemes)[0] for word, phonemes in held)
        share = (right / len(held), sounds / len(held))
        print(f"{accent}: of {len(held)} held-out words {share[0]:.3f} exact, {share[1]:.3f} but for stress")
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("align", "train", "save"))
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--epochs", type=int, default=12)
    given = parser.parse_args()
    if given.what == "align":
        align(*given.paths)
    elif given.what == "train":
        train(*given.paths, given.minutes, given.epochs)
    else:
        save(*given.paths)
