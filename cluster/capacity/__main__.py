"""Plan a cluster: replicas, nodes and their price for a load.

python -m cluster.capacity --pages-per-s 50 [--lines-per-page 40] [--node-price 2.5]
python -m cluster.capacity --documents-per-s 20 --mix letter=0.7:1x25,contract=0.3:12x45 --machine H200
python -m cluster.capacity --check [--result FILE]      the plan beside the benchmark it is made of
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from cluster.capacity.demand import Demand, demand_of_mix, parse_mix
from cluster.capacity.measured import ROOT, Measured, newest_result, read_result
from cluster.capacity.plan import INGRESS, Placement, placements, plan
from cluster.capacity.report import comparison, report

CONFIG = ROOT / "cluster" / "serve_config.gpu.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module's docstring. Exit code 2 for what makes no sense."""
    options = _parser().parse_args(arguments)
    try:
        measured = read_result(options.result or newest_result(options.machine))
        if options.check:
            print(comparison(measured))
            return 0
        demand = _demand(options, measured)
        where = _placements(options.config)
        if missing := measured.stages.keys() ^ (where.keys() - {INGRESS}):
            raise ValueError(f"{measured.source} and {options.config.name} differ in {sorted(missing)}")
        said = report(measured, demand, plan(measured, demand, where), where, options.node_price)
    except (OSError, ValueError) as error:
        print(f"no plan: {error}", file=sys.stderr)
        return 2
    print(said)
    return 0


def _number(text: str) -> float:
    """A finite number, 0 or more. Raises ArgumentTypeError for any other."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number from 0 on")
    return number


def _placements(path: Path) -> dict[str, Placement]:
    """The deployments of a configuration. Raises ValueError, on one line, for what is none."""
    try:
        return placements(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no configuration of the service: {error!r}") from None


def _parser() -> argparse.ArgumentParser:
    head, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m cluster.capacity",
        description=head,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    load = parser.add_mutually_exclusive_group(required=True)
    load.add_argument("--pages-per-s", type=_number, help="pages a second at the peak")
    load.add_argument("--documents-per-s", type=_number, help="documents a second at the peak, of --mix")
    load.add_argument("--check", action="store_true", help="compare with what the service did when measured")
    parser.add_argument("--mix", help="NAME=SHARE:PAGESxLINES,… with shares of documents")
    parser.add_argument("--lines-per-page", type=_number, help="default: those of the benchmark's pages")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--result", type=Path, help="a result of the benchmark; default: the newest")
    source.add_argument(
        "--machine", default="", help="the newest result of this GPU or processor, such as H200"
    )
    parser.add_argument("--config", type=Path, default=CONFIG, help="Serve configuration")
    parser.add_argument("--node-price", type=_number, help="what a node costs an hour")
    return parser


def _demand(options: argparse.Namespace, measured: Measured) -> Demand:
    """The load that the options describe. Raises ValueError where they make no sense."""
    if (options.documents_per_s is None) != (options.mix is None):
        raise ValueError("--documents-per-s and --mix belong together")
    if options.mix is not None:
        if options.lines_per_page is not None:
            raise ValueError("--lines-per-page: the mix says how many lines there are")
        demand = demand_of_mix(options.documents_per_s, parse_mix(options.mix))
    else:
        lines = measured.lines_per_page if options.lines_per_page is None else options.lines_per_page
        demand = Demand(options.pages_per_s, lines)
    if min(demand.pages_per_s, demand.lines_per_page) <= 0:
        raise ValueError("pages and lines must be more than none")
    return demand


if __name__ == "__main__":
    sys.exit(main())
