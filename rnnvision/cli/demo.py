"""rnnvision demo ckpt=FILE_OR_RUN_FOLDER: a local page on which one draws or drops a picture and sees it being read."""

import threading

from omegaconf import DictConfig

from rnnvision.cli.frame.app import run_verb
from rnnvision.cli.frame.exits import EXIT_INTERRUPT
from rnnvision.cli.frame.signals import STOP, Stopped
from rnnvision.errors import UsageError
from rnnvision.runs import RunFolder


def main() -> None:
    run_verb("demo", demo, libraries=("rnnvision.inference",))


def demo(cfg: DictConfig, run: RunFolder) -> None:
    """Serve the page at `cfg.host` and `cfg.port` until Ctrl-C."""
    if isinstance(cfg.port, bool) or not isinstance(cfg.port, int) or not 0 <= cfg.port <= 65535:
        raise UsageError(f"port={cfg.port}: must be a whole number from 0 to 65535; 0 takes a free one")
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(f'the page needs {error.name}; type: pip install "rnnvision[demo]"') from error
    from rnnvision.inference import load
    from rnnvision.inference.demo.app import make_app
    from rnnvision.inference.demo.examples import Examples
    from rnnvision.inference.demo.server import address, everybody, listen, serve

    host = str(cfg.host)
    with listen(host, cfg.port) as taken:
        classifier = load(cfg.ckpt)
        examples = Examples(classifier.description, classifier.input_shape)
        threading.Thread(target=len, args=(examples,), daemon=True).start()  # which reads them
        app = make_app(classifier, examples, host=host)
        print(f"checkpoint  {classifier.path}")
        if warning := everybody(host):
            print(f"note        {warning}")
        print(f"open        {address(taken, host)}\n            Ctrl-C ends it", flush=True)
        try:
            serve(app, taken)
        except Stopped as error:
            if error.code != EXIT_INTERRUPT:
                raise
            STOP.forget()  # Ctrl-C is the way to end it


if __name__ == "__main__":
    main()
