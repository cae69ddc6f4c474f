"""Entry point inside the image; see run_*.sh."""

from reference_methods.common.cli import main
from reference_methods.cradl.model import Model

if __name__ == "__main__":
    main(Model.load)
