# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads what plc-run --profile gathered, and shows it."""
