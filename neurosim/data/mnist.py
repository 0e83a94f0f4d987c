"""MNIST and the two sets made to replace it: 70 000 grey images of 28 by 28 pixels each."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.data.base import Dataset, Source, intensities
from neurosim.data.fetch import PublishedFile, fetch, location
from neurosim.data.idx import read_idx

# The four files of each set, in the order of the checksums below.
_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


@dataclass(frozen=True, kw_only=True)
class _ImageSet:
    name: str
    description: str
    url: str
    md5: tuple[str, str, str, str]
    classes: tuple[str, ...]

    def files(self) -> list[PublishedFile]:
        return [
            PublishedFile(dataset=self.name, name=name, url=self.url + name, md5=md5)
            for name, md5 in zip(_FILES, self.md5, strict=True)
        ]

    def present(self) -> bool:
        return all(location(file).is_file() for file in self.files())

    def load(self, normalize: bool) -> Dataset:
        x_train, y_train, x_test, y_test = [read_idx(fetch(file)) for file in self.files()]
        return Dataset(
            name=self.name,
            x_train=intensities(x_train, 255, normalize),
            y_train=y_train,
            x_test=intensities(x_test, 255, normalize),
            y_test=y_test,
            n_classes=len(self.classes),
            shape=x_train.shape[1:],
            classes=self.classes,
        )


_MNIST = _ImageSet(
    name="mnist",
    description="MNIST handwritten digits, 28x28, 60 000 + 10 000 (LeCun, Cortes, Burges)",
    url="https://ossci-datasets.s3.amazonaws.com/mnist/",  # the mirror most loaders use
    md5=(
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    classes=tuple("0123456789"),
)

_FASHION_MNIST = _ImageSet(
    name="fashion-mnist",
    description="Fashion-MNIST articles of clothing, 28x28, 60 000 + 10 000 (Zalando Research)",
    url="https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    md5=(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)

_KMNIST = _ImageSet(
    name="kmnist",
    description="Kuzushiji-MNIST cursive Japanese, 28x28, 60 000 + 10 000 (CODH)",
    url="http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    md5=(
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
)

SOURCES = tuple(
    Source(
        name=images.name,
        description=images.description,
        load=images.load,
        present=images.present,
    )
    for images in (_MNIST, _FASHION_MNIST, _KMNIST)
)
