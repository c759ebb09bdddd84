"""The check of native applications: start a program in any language, talk to it as browsers do, and report.

From below: `causes` (the usual mistakes, recognised from the bytes), `frames` and
`json_values` (what goes over the wire), `stderr` and `operating_system` (what else can
be seen of a program), `program` (one that runs), `candidate` (what every check is
given), `probe` (what it does when it is asked something), `checks` (all checks, each
with its rule), and `check` (carry them out).
"""
