"""Goroutines of weir in gdb. Reading order: commands, look, goroutines, layout, memory; how gdb
comes to see a goroutine's stack: standing, machine, backtrace; how it walks few of many: stacks."""
