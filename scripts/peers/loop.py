"""A training loop by hand: the least that PyTorch needs for this work, and so the line that the others are held to.

Of the ways to write it these were tried and are not faster: the LSTM time first, the head on h_n, `foreach` optimisers,
gradients set to zero in place of None.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from peers.work import (
    BATCH_SIZE,
    BETAS,
    CLIP_NORM,
    EPSILON,
    NETWORKS,
    NUM_CLASSES,
    Turns,
    Work,
    arguments,
    one_cycle,
    read_images,
)


class Network(nn.Module):
    def __init__(self, work: Work, row_size: int = 28, num_classes: int = NUM_CLASSES) -> None:
        super().__init__()
        self.lstm = nn.LSTM(row_size, work.hidden_size, work.num_layers, batch_first=True)
        self.head = nn.Linear(work.hidden_size, num_classes)

    def forward(self, images: Tensor) -> Tensor:  # (B, H, W) -> (B, num_classes)
        states, _ = self.lstm(images)
        return self.head(states[:, -1])


class Loop:
    """Train `network` on images uint8 (N, ...) and labels int64 (N,), an epoch a call, where these are.

    Args:
        steps: of the whole training, for the schedule.
        precision: torch.bfloat16 or torch.float16 for autocast, the latter with a scaled loss.
    """

    def __init__(
        self,
        work: Work,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        mean: float,
        std: float,
        steps: int,
        batch_size: int = BATCH_SIZE,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.network, self.images, self.labels, self.batch_size = network, images, labels, batch_size
        self.scale, self.shift = 1 / (255 * std), mean / std
        self.precision, self.device = precision, images.device
        self.scaler = torch.amp.GradScaler(images.device.type, enabled=precision == torch.float16)
        self.parameters = list(network.parameters())
        groups = [
            {"params": [p for p in self.parameters if p.ndim >= 2], "weight_decay": work.weight_decay},
            {"params": [p for p in self.parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[work.optimizer]
        self.optimizer = kind(groups, lr=work.lr, betas=BETAS, eps=EPSILON, fused=True)
        factor = (lambda step: one_cycle(step / steps)) if work.one_cycle else None
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, factor) if factor else None

    def epoch(self, order: Tensor) -> tuple[float, float]:
        """One pass over the samples in `order`: the mean loss, and the share that was right."""
        network, optimizer = self.network, self.optimizer
        loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        correct = torch.zeros((), dtype=torch.int64, device=self.device)
        network.train()
        for index in order.split(self.batch_size):
            images = self.images[index].float().mul_(self.scale).sub_(self.shift)
            labels = self.labels[index]
            with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
                logits = network(images)
            loss = cross_entropy(logits.float(), labels)
            optimizer.zero_grad()
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self.parameters, CLIP_NORM)
            self.scaler.step(optimizer)
            self.scaler.update()
            if self.schedule is not None:
                self.schedule.step()
            loss_sum += loss.detach() * len(index)
            correct += (logits.argmax(dim=1) == labels).sum()
        return float(loss_sum) / len(order), int(correct) / len(order)


def main() -> None:
    told, turns = arguments(), Turns()
    torch.set_num_threads(told.threads)
    work = NETWORKS[told.network]
    images, labels = map(torch.from_numpy, read_images(told.images))
    steps = told.epochs * -(-len(labels) // BATCH_SIZE)
    precision = getattr(torch, told.precision)
    loop = Loop(
        work, Network(work), images, labels.long(), mean=told.mean, std=told.std, steps=steps, precision=precision
    )
    turns.ready(versions={"torch": torch.__version__}, threads=torch.get_num_threads())
    for _ in turns:
        loss, _ = loop.epoch(torch.randperm(len(labels)))
        turns.done(loss)


if __name__ == "__main__":
    main()
