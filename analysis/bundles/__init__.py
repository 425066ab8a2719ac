"""Results bundles: everything that a study's figures follow from, in one zip that anybody can check.

`write_bundle` makes one, `verify_bundle` computes its report again and says equal or names the first difference.
"""

from analysis.bundles.verdict import Difference, UnreadableBundle, Verdict
from analysis.bundles.verifying import verify_bundle
from analysis.bundles.writing import BundledStudy, write_bundle

__all__ = ["BundledStudy", "Difference", "UnreadableBundle", "Verdict", "verify_bundle", "write_bundle"]
