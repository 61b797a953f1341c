// The context switch for aarch64 (AAPCS64): callee-saved registers only.
//
// A goroutine that does not run has, from its saved stack pointer up: x29 x30 x19..x28 d8..d15 (switch.h).

        .text

// void weir_switch(uintptr_t* save_sp /* x0 */, uintptr_t to_sp /* x1 */)
        .globl  weir_switch
        .hidden weir_switch
        .type   weir_switch, %function
        .p2align 4
weir_switch:
        .cfi_startproc
        stp     x29, x30, [sp, #-160]!
        .cfi_def_cfa_offset 160
        .cfi_offset x29, -160
        .cfi_offset x30, -152
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        mov     x9, sp
        str     x9, [x0]
        mov     sp, x1                  // same layout: the frame description stays true
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldp     x29, x30, [sp], #160
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   weir_switch, .-weir_switch

// Where a new goroutine begins. The undefined return address ends every stack walk here. The switch enters
// behind the nop, so that "return address - 1" is inside.
        .globl  weir_gostart
        .hidden weir_gostart
        .type   weir_gostart, %function
        .p2align 4
weir_gostart:
        .cfi_startproc
        .cfi_undefined x30
        nop
        mov     x29, #0
        bl      weir_goroutine_main
        brk     #1
        .cfi_endproc
        .size   weir_gostart, .-weir_gostart

        .section .note.GNU-stack, "", %progbits
