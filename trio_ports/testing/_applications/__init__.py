"""The check of native applications: start a program in any language, talk to it as browsers do, and report.

From below: `frames` and `json_values` (what goes over the wire), `stderr` and
`operating_system` (what else can be seen of a program), `program` (one that runs),
`probe` (what it does when it is asked something), `candidate` (what every check is
given), `checks` (all checks, each with its rule), and `check` (carry them out).
"""
