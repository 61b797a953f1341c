"""For gdb: goroutines of programs that use weir. Programs built with weir carry this in them
(CMakeLists.txt beside it); by hand it is `source weir-gdb.py`.

  info goroutines          goroutine 18 bt          goroutine all bt          help goroutine
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
try:
    from weir_gdb import install
finally:
    sys.path.pop(0)

install.install()
