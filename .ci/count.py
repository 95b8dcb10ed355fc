"""Adds up pytest's JUnit files and prints one closing line; exits 1 where a test failed, was skipped, or none ran."""

import sys
from xml.etree import ElementTree


def main(paths: list[str]) -> int:
    """Count the tests of the files at `paths`; returns the exit code."""
    passed = 0
    failed: list[str] = []
    skipped: list[str] = []
    for path in paths:
        cases = list(ElementTree.parse(path).iter("testcase"))
        if not cases:
            failed.append(f"{path}: no test ran")
        for case in cases:
            name = f"{case.get('classname')}::{case.get('name')}"
            kinds = {(child.tag, child.get("type")) for child in case}
            if any(tag in ("failure", "error") for tag, _ in kinds):
                failed.append(name)
            elif any(tag == "skipped" and kind != "pytest.xfail" for tag, kind in kinds):
                skipped.append(name)
            else:
                passed += 1
    for kind, names in (("failed", failed), ("skipped", skipped)):
        for name in names:
            print(f"{kind}: {name}", file=sys.stderr)
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or skipped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
