/* The guest's own calls of the host, from its trampolines.
 *
 * Usually they go the program's way. But where a Unix part of a module calls one of the guest's
 * hooks (redirect.c), the thread stands on the stack that the host's system calls run on: one
 * more through the dispatcher would begin at the top of that stack and overwrite its callers.
 * There the function of the host's ntdll is called directly, as that Unix part would do.
 *
 * rax: the number, r10: the first argument; the stack: return address of the trampoline, of the
 * hook, room for four arguments, the others. */
#define KERNEL_STACK      %gs:0x370 /* UNIX_KERNEL_STACK in redirect.c, which checks it */
#define KERNEL_STACK_SIZE 0x100000

    .text
    .globl guest_own_syscall_entry
    .def guest_own_syscall_entry; .scl 2; .type 32; .endef
    .p2align 4
guest_own_syscall_entry:
    cmpb $0, guest_unix_redirected(%rip)
    jne 2f
1:  jmp *guest_host_syscall(%rip)
2:  movq %rsp, %r11
    subq KERNEL_STACK, %r11
    cmpq $KERNEL_STACK_SIZE, %r11
    jae 1b
    leaq guest_unix_calls(%rip), %r11
    movslq (%r11,%rax,4), %r11
    addq $8, %rsp
    testq %r11, %r11
    jz 3f
    addq guest_ntdll_unix(%rip), %r11
    movq %r10, %rcx
    jmp *%r11
3:  movl $0xc0000002, %eax          /* STATUS_NOT_IMPLEMENTED: none of ntdll's calls */
    ret

/* bool guest_in_unix(void): does this thread stand on that stack? */
    .globl guest_in_unix
    .def guest_in_unix; .scl 2; .type 32; .endef
    .p2align 4
guest_in_unix:
    xorl %eax, %eax
    cmpb $0, guest_unix_redirected(%rip)
    je 1f
    movq %rsp, %rcx
    subq KERNEL_STACK, %rcx
    cmpq $KERNEL_STACK_SIZE, %rcx
    setb %al
1:  ret
