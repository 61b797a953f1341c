"""The detectors against programs whose leaks are known: tests/detection/kernels.h."""

import os
import subprocess
import unittest

KERNELS = os.environ["WEIR_DETECT_KERNELS"]


class Kernels(unittest.TestCase):
    def test_every_leak_is_found_and_no_healthy_one_reported(self):
        run = subprocess.run([KERNELS, "--jobs=4", "--seed=1"], capture_output=True, text=True, timeout=580)
        # 0: all leaks found, of the right kind and at the right place; nothing wrong is certain; precision >= 0.99.
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertNotIn("WRONG AND CERTAIN", run.stdout)

    def test_a_name_that_is_none_is_a_usage_error(self):
        run = subprocess.run([KERNELS, "--only=ncast,none"], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 2, run.stdout)
        self.assertIn("no kernel is named none", run.stderr)


if __name__ == "__main__":
    unittest.main()
