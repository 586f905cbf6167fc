# Prints the names that this Python maps between the two sides of protocol 3, as rows of
# "direction module name -> module name", from what its pickle module uses. A module's own row has
# "*" in place of the name. Run by hand with the newest Python that still maps all of them (3.11):
#   python3.11 globals.py > globals.txt
import _compat_pickle as c


def rows():
    for (m, n), (m2, n2) in c.NAME_MAPPING.items():
        yield "2to3", m, n, m2, n2
    for m, m2 in c.IMPORT_MAPPING.items():
        yield "2to3", m, "*", m2, "*"
    for (m, n), (m2, n2) in c.REVERSE_NAME_MAPPING.items():
        yield "3to2", m, n, m2, n2
    for m, m2 in c.REVERSE_IMPORT_MAPPING.items():
        yield "3to2", m, "*", m2, "*"


for r in sorted(rows()):
    print(*r)
