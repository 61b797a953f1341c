// The gdb extension (tools/gdb), where gdb looks for one when it loads a program: 4, a name, a line's end, the
// script in Python, 0. Not loaded into memory.
        .section .debug_gdb_scripts, "MS", %progbits, 1
        .globl  weir_gdb_script
        .hidden weir_gdb_script
weir_gdb_script:
        .byte   4
        .ascii  "gdb.inlined-script.weir\n"
        .incbin WEIR_GDB_SCRIPT
        .byte   0

        .section .note.GNU-stack, "", %progbits
