"""Entry point inside the image; see run_*.sh."""

from reference_methods.cevae.model import Model
from reference_methods.common.cli import main

if __name__ == "__main__":
    main(Model.load)
