"""The page of text that lies in every bundle."""

README = """\
Results bundle of a Twinseed study
==================================

Everything that the study's figures follow from, so that anybody can compute them again.

study.json       what the study is: title, question, arms in their order (the first one is positive), the sha256 of
                 the analysis plan that was frozen before the first vote (empty where none was), whether programs
                 voted instead of people
plan.json        the analysis plan as the text that is hashed: its sha256 is the plan's. Without a frozen plan these
                 are the usual settings, and everything in the report is exploratory
plan.toml        the same plan for reading, and for use with other votes
comparisons.csv  every comparison of the study. One without a row in votes.csv was not judged by anybody; it counts
                 as "no preference" in the threshold table
votes.csv        every vote that counts, in order of arrival, in the terms of the screen (left_arm, right_arm,
                 choice: left, right, same) and of the arms (outcome: a, b, tie; a is the arm that comes first in
                 study.json). Rows with a gold_arm had a known right answer: they tell how raters rate and are no part
                 of any preference. Raters stand under codes; response_ms is empty where it was not measured
report.json      every figure, or why it cannot be had: {"error": code, "detail": sentence}
figures/         the charts as SVG and PDF
versions.json    what computed the report
checksums.txt    the sha256 of every other file

To check that no file was changed:     sha256sum --check checksums.txt
To check that the report follows:      python manage.py verify_bundle BUNDLE.zip
in a copy of Twinseed; it needs no database. It computes the report again from plan.json, comparisons.csv and
votes.csv and says "equal", or names the first figure that differs, with both values. With the software of
versions.json on such a processor every digit must be the same; otherwise numbers may differ by one part in a million.

Figures are checked by their checksums only. Checksums show accidents, not intent: somebody who changes a file can
write new ones. What cannot be faked afterwards is a hash that was made public before: publish the plan's sha256 when
the study opens, and the sha256 of this zip with the paper.
"""
