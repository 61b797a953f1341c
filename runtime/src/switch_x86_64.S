// The context switch for x86-64 (System V ABI): callee-saved registers only.
//
// A goroutine that does not run has, from its saved stack pointer up: r15 r14 r13 r12 rbx rbp, return
// address (switch.h). The floating point control words are per thread, not per goroutine.

        .text

// void weir_switch(uintptr_t* save_sp /* rdi */, uintptr_t to_sp /* rsi */)
// Ends in an indirect jump, not in `ret`: the return predictor holds the other stack's callers.
        .globl  weir_switch
        .hidden weir_switch
        .type   weir_switch, @function
        .p2align 4
weir_switch:
        .cfi_startproc
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp              // same layout: the frame description stays true
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_same_value %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_same_value %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_same_value %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_same_value %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_same_value %rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_same_value %rbp
        retq
        .cfi_endproc
        .size   weir_switch, .-weir_switch

// Where a new goroutine begins. The undefined return address ends every stack walk here: ours, gdb's and
// _Unwind_RaiseException's. The switch enters behind the nop, so that "return address - 1" is inside.
        .globl  weir_gostart
        .hidden weir_gostart
        .type   weir_gostart, @function
        .p2align 4
weir_gostart:
        .cfi_startproc
        .cfi_undefined %rip
        nop
        xorl    %ebp, %ebp
        callq   weir_goroutine_main
        ud2
        .cfi_endproc
        .size   weir_gostart, .-weir_gostart

        .section .note.GNU-stack, "", @progbits
