"""A model to start from: a tokenizer trained on the user's own text and a Hugging Face model with random weights.

The tokenizer is a sentencepiece BPE with one property that extraction lives on: a name has the same token ids in
running text (`in Oslo.`) and inside the answer (`City("Oslo")`), so that answering is copying. Training therefore never
sees a piece that reaches across the edge of a name (`is_border`).
"""

from __future__ import annotations

import io
import itertools
import shutil
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import sentencepiece
import torch
from omegaconf import OmegaConf
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerFast

from knowcoder.config import configs_dir
from knowcoder.errors import ConfigError, DataError, ModelError

UNK, BOS, EOS, PAD = "<unk>", "<s>", "</s>", "<pad>"  # ids 0 to 3
# Copied rather than loaded and saved, which would rewrite them: what stands beside the weights in a model folder.
MODEL_FILES = (
    "*tokenizer*.json",
    "*token*_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "*.model",
    "*.tiktoken",
    "*.jinja",
    "chat_template.json",
    "generation_config.json",
    "preprocessor_config.json",
    "knowcoder.json",
)
SPACE = "\u2581"  # how sentencepiece spells a space
_BORDER = "\ue000"  # a private-use character: marks borders for the trainer only, never part of a piece
_LONGEST_PIECE = 16
_CHECKED_TEXTS = 200


@dataclass(frozen=True)
class InitialModel:
    """What `init_model` made: `parameters` counts shared weights once, `texts` is 0 with a given tokenizer."""

    parameters: int
    vocab_size: int
    texts: int


def init_model(
    config: str, texts: Iterable[str] | Path, vocab_size: int | None, seed: int, output_dir: Path
) -> InitialModel:
    """Write a model folder that plain `transformers` loads: config, random fp32 weights (safetensors), tokenizer.

    Args:
        config: a name in `configs/model` (without `.yaml`), a YAML file of the same form, or a folder or file of a
            Hugging Face `config.json`.
        texts: what the tokenizer is trained on, or the folder of a tokenizer to use as it is.
        vocab_size: pieces of the tokenizer to train; with a given tokenizer, rows of the embedding (None: as many as
            it has tokens).
        seed: of the random weights; the tokenizer has no randomness.

    Raises:
        ConfigError: an unknown architecture, a field that it does not have, a vocabulary that cannot be reached.
        DataError: no text at all.
        ModelError: the given tokenizer does not fit.
    """
    # Read first: a bad name should not cost the training of a tokenizer.
    model_config = read_model_config(config)
    output_dir.mkdir(parents=True, exist_ok=True)
    count = 0
    if isinstance(texts, Path):
        tokenizer = _given_tokenizer(texts)
        vocab_size = max(vocab_size or 0, len(tokenizer))
        copy_tokenizer(texts, output_dir)
    else:
        if vocab_size is None:
            raise ConfigError("vocab_size is not set: give the number of pieces to train, e.g. vocab_size=2048")
        kept = list(texts)
        count = len(kept)
        proto = train_tokenizer(kept, vocab_size)
        tokenizer = write_tokenizer(proto, kept[:_CHECKED_TEXTS], output_dir, model_config.max_position_embeddings)
    model_config.vocab_size = vocab_size
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(model_config, name, getattr(tokenizer, name))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(model_config, dtype=torch.float32)
    model.save_pretrained(output_dir)
    return InitialModel(parameters=model.num_parameters(), vocab_size=vocab_size, texts=count)


def read_model_config(config: str) -> PreTrainedConfig:
    """Return the architecture named by `config` (see `init_model`); every field is checked to exist."""
    shipped = configs_dir() / "model"
    named = shipped / f"{config}.yaml"
    path = named if named.is_file() else Path(config)
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in shipped.glob("*.yaml")))
        raise ConfigError(f"config={config}: neither an architecture of configs/model ({known}) nor a path")
    if path.suffix not in (".yaml", ".yml"):
        try:
            return AutoConfig.from_pretrained(path)
        except (OSError, ValueError) as error:
            raise ConfigError(f"config={config}: not a Hugging Face configuration: {error}") from error
    loaded = OmegaConf.to_container(OmegaConf.load(path))
    fields = {str(name): value for name, value in loaded.items()} if isinstance(loaded, dict) else {}
    model_type = fields.pop("model_type", None)
    if not isinstance(model_type, str):
        raise ConfigError(f"{path}: needs a line `model_type: NAME` as in transformers, e.g. llama")
    try:
        defaults = AutoConfig.for_model(model_type)
    except ValueError as error:
        raise ConfigError(f"{path}: model_type {model_type} is not known to transformers") from error
    # transformers keeps unknown fields in silence, and the model would have another shape than the file says.
    for name in fields:
        if not hasattr(defaults, name):
            raise ConfigError(f"{path}: {model_type} has no field {name}")
    return AutoConfig.for_model(model_type, **fields)


def is_border(text: str, index: int) -> bool:
    """Say whether no piece may contain both `text[index - 1]` and `text[index]`: whether a word begins or ends there.

    So what stands beside a name or a trigger never changes its pieces. A space is a piece of its own before every
    word, which costs a few tokens a sentence and makes answering a matter of copying. Punctuation may join
    punctuation (`("`, `"),`, indentation).
    """
    return text[index - 1].isalnum() != text[index].isalnum()


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> bytes:
    """Return a serialised sentencepiece model: byte-level fallback, identity normalisation, single digits.

    Raises:
        DataError: there is no text. ConfigError: the text does not yield `vocab_size` pieces, or needs more.
    """
    marked = [line for text in texts if text for line in [_mark_borders(text)]]
    if not marked:
        raise DataError("no text to train a tokenizer on: the given input holds no sample with text")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(marked),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            byte_fallback=True,
            split_digits=True,
            # Only our borders cut pieces: sentencepiece's own rules would part `("` and indentation.
            pretokenization_delimiter=_BORDER,
            split_by_unicode_script=False,
            split_by_whitespace=False,
            split_by_number=False,
            user_defined_symbols=["\t"],
            required_chars=string.ascii_letters + string.digits + string.punctuation,
            max_sentencepiece_length=_LONGEST_PIECE,
            max_sentence_length=1 << 20,
            num_threads=1,
            minloglevel=2,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=3,
            unk_piece=UNK,
            bos_piece=BOS,
            eos_piece=EOS,
            pad_piece=PAD,
        )
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].rpartition("] ")[2].strip()  # behind the place in its source code
        raise ConfigError(f"vocab_size={vocab_size} does not fit the text: {reason}") from error
    return model.getvalue()


def fast_tokenizer(proto: bytes) -> Tokenizer:
    """Return the `tokenizers` BPE that gives the ids of the sentencepiece model `proto`.

    Special tokens are written in the answer's wrapper, never read from text: a literal `</s>` in a sentence stays text.
    """
    pieces = sentencepiece.SentencePieceProcessor(model_proto=proto)
    vocab = {pieces.id_to_piece(index): index for index in range(pieces.get_piece_size())}
    tokenizer = Tokenizer(
        models.BPE(vocab=vocab, merges=list(_merges(pieces)), unk_token=UNK, fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def write_tokenizer(proto: bytes, texts: Iterable[str], folder: Path, max_length: int) -> PreTrainedTokenizerFast:
    """Write tokenizer.model and the equal tokenizer.json with its configuration; `texts` prove that they are equal.

    Raises:
        ModelError: the two tokenizers differ on a text.
    """
    (folder / "tokenizer.model").write_bytes(proto)
    fast = fast_tokenizer(proto)
    slow = sentencepiece.SentencePieceProcessor(model_proto=proto)
    for text in texts:
        if fast.encode(text).ids != slow.encode(text):
            raise ModelError(f"the fast tokenizer differs from sentencepiece on {text[:80]!r}")
    # A server that takes only text reads BOS nowhere else: not in the text, where it would be letters.
    fast.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, slow.bos_id())])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=fast,
        unk_token=_special(UNK),
        bos_token=_special(BOS),
        eos_token=_special(EOS),
        pad_token=_special(PAD),
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,
    )
    tokenizer.save_pretrained(folder)
    fast.save(str(folder / "tokenizer.json"))  # without the special tokens: text is never read as one of them
    return tokenizer


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy what goes with the weights of a model folder, byte for byte: tokenizer, prompt form, generation settings."""
    for path in sorted(source.iterdir()):
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in MODEL_FILES):
            shutil.copyfile(path, target / path.name)


def _special(token: str) -> AddedToken:
    return AddedToken(token, special=True, normalized=False)


def _mark_borders(text: str) -> str:
    text = text.replace(_BORDER, "")
    borders = [0, *(index for index in range(1, len(text)) if is_border(text, index)), len(text)]
    return _BORDER.join(text[start:end] for start, end in itertools.pairwise(borders))


def _merges(pieces: sentencepiece.SentencePieceProcessor) -> Iterator[tuple[str, str]]:
    """Yield every way to make a piece of two, best piece first: sentencepiece ranks the piece, not the pair."""
    normal = {
        pieces.id_to_piece(index): index
        for index in range(pieces.get_piece_size())
        if not (pieces.is_control(index) or pieces.is_byte(index) or pieces.is_unknown(index))
        and pieces.id_to_piece(index) != "\t"
    }
    for piece in sorted(normal, key=lambda name: (-pieces.get_score(normal[name]), normal[name])):
        for cut in range(1, len(piece)):
            if piece[:cut] in normal and piece[cut:] in normal:
                yield piece[:cut], piece[cut:]


def _given_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True)
    except (OSError, ValueError) as error:
        raise ModelError(f"tokenizer={folder}: holds no tokenizer; give a model folder that has one") from error
    for name in ("eos_token", "pad_token"):
        if getattr(tokenizer, name) is None:
            raise ModelError(f"tokenizer={folder}: has no {name}; set it in its tokenizer_config.json")
    return tokenizer
