"""The batches of a training."""

from collections.abc import Generator, Iterator

import torch
from torch import Tensor

from al_engine.training.feed import Images, copy_to_device, stream_batches
from al_engine.training.pixels import Augment, cut_batch, lay_out


def shuffle_without_end(
    count: int, batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Full batches of indices, int64 (b,), from endless shuffled passes over `count` images.

    If a batch holds more than `count` images, images repeat within it. At any point of the stream
    the numbers of times that images have occurred differ by at most 1.
    """
    waiting = torch.empty(0, dtype=torch.int64)
    while True:
        while waiting.shape[0] < batch_size:
            waiting = torch.cat([waiting, torch.randperm(count, generator=generator)])
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]


def batches(
    images: Images,
    *,
    batch_size: int,
    augment: Augment,
    device: torch.device,
    seed: int,
    keep_on_device: bool,
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Endless batches: indices, int64 (b,), and images, float32 (b, 3, S, S), on the device.

    Batches are the same whether images are kept on the device or read for each batch: their order
    comes from a generator on the CPU, so that reading can run ahead, and the augmentation from a
    generator on the device.
    """
    count, side = images.shape[0], images.shape[-1]
    wanted = shuffle_without_end(count, batch_size, torch.Generator().manual_seed(seed))
    generator = torch.Generator(device=device).manual_seed(seed)

    def cut(pixels: Tensor, rows: Tensor) -> Tensor:
        return cut_batch(pixels, rows, image_size=side, augment=augment, generator=generator)

    if keep_on_device:
        pixels = lay_out(copy_to_device(images, device), augment=augment)
        for chosen in wanted:
            rows = chosen.to(device)
            yield rows, cut(pixels, rows)
    else:
        everything = torch.arange(batch_size, device=device)
        for chosen, batch in stream_batches(images, wanted, device):
            yield chosen.to(device), cut(lay_out(batch, augment=augment), everything)
