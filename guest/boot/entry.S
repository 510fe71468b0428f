/* The three places where the guest is entered in other ways than by a call, and the copy
 * routine whose faults are expected.
 *
 * Frames of the exception dispatcher, from Wine's and Windows' x64 layout: RSP points to
 * the CONTEXT (Rip at 0xf8), the EXCEPTION_RECORD lies at 0x4f0. */
#define BASE 0x2f0000000000
#define GUEST_GATE        0x7ffe1ff0 /* as in guest_boot.h */

    .text

/* --- boot blob ----------------------------------------------------------------------- *
 * Runs over LdrInitializeThunk in a new process, before any other code of it. On entry:
 * rsp as after a call, rcx the start CONTEXT. Position independent; struct guest_blob
 * follows at guest_blob_code_end. The stack is left as fvm_guest_boot expects it.
 *
 * Several threads may come at once. The first one takes the gate and boots; the others go
 * round the first two instructions, and never see the rest of the blob, which can so be
 * replaced under them by what stood there. Then the first instruction becomes a jump through
 * GUEST_GATE_TARGET, for them and for all threads to come, in one store of eight bytes. A
 * thread that stood between the two has the carry set: the second one takes it to the jump.
 * So these twelve bytes stay different; guest_thread_entry does what the host's did. */
    .globl guest_blob_code, guest_blob_code_end
    .p2align 4
guest_blob_code:
    lock btsl $0, GUEST_GATE        /* 10 bytes */
    jc guest_blob_code              /* 2 bytes */
    pushq %rcx
    pushq %rdx
    pushq %r8
    pushq %r9
    subq $0x68, %rsp
    leaq guest_blob_code_end(%rip), %rbx
    movq 16(%rbx), %rax
    movq %rax, 0x50(%rsp)           /* base: in and out */
    xorl %eax, %eax
    movq %rax, 0x58(%rsp)           /* size: all */
    movq 32(%rbx), %rcx             /* section */
    movq $-1, %rdx                  /* this process */
    leaq 0x50(%rsp), %r8
    xorl %r9d, %r9d                 /* zero bits */
    movq %rax, 0x20(%rsp)           /* commit size */
    movq %rax, 0x28(%rsp)           /* offset */
    leaq 0x58(%rsp), %rax
    movq %rax, 0x30(%rsp)           /* size */
    movq $1, 0x38(%rsp)             /* ViewShare */
    movq $0, 0x40(%rsp)             /* allocation type */
    movq $0x80, 0x48(%rsp)          /* PAGE_EXECUTE_WRITECOPY */
    call *0(%rbx)
    testl %eax, %eax
    js 1f
    movq %rbx, %rcx
    jmp *24(%rbx)
1:  movq $-1, %rcx
    movl $0xe0f40001, %edx          /* GUEST_BOOT_FAILED | GUEST_BOOT_MAP_IMAGE */
    call *8(%rbx)
    int3
    .p2align 3, 0xcc
guest_blob_code_end:

/* --- boot ---------------------------------------------------------------------------- *
 * rcx: struct guest_blob, which is gone when guest_boot_process returns. */
    .globl fvm_guest_boot
    .def fvm_guest_boot; .scl 2; .type 32; .endef
    .p2align 4
fvm_guest_boot:
    call guest_boot_process
    addq $0x68, %rsp
    popq %r9
    popq %r8
    popq %rdx
    popq %rcx
    jmp *%rax

/* Where the threads of the process start from then on: the twelve bytes of the host's
 * LdrInitializeThunk that the gate stands on (checked by guest_hooks_prepare). */
    .globl guest_thread_entry, guest_thread_entry_end
    .def guest_thread_entry; .scl 2; .type 32; .endef
    .p2align 4
guest_thread_entry:
    pushq %r15
    pushq %r14
    pushq %r13
    pushq %r12
    pushq %rbp
    pushq %rdi
    pushq %rsi
    pushq %rbx
guest_thread_entry_end:
    jmp *guest_thread_rest(%rip)

/* --- system calls -------------------------------------------------------------------- *
 * Called by the stubs with the number in eax and the first argument in r10 as well as rcx;
 * rcx and r11 are free. The stack holds the stub's return address, then its caller's. A hook
 * is entered as if the stub's caller had called it; that skips the "ret" of the stub, so a
 * call from anything but a stub goes to the host.
 *
 * Calls with a filter (guest.h) that need no hook go to the host from here. What they have in
 * common is decided without a branch between them: the processor would guess it wrong each time
 * (a read after a seek cost 20 ns more). The fifth argument, the class of information, lies
 * behind the two return addresses and the room for four arguments; whatever stands there for
 * NtReadFile, no bit of its mask is set. */
#define STALE_OPENS 56              /* offsetof(struct fvm_shared, stale_opens) */
    .globl guest_syscall_entry
    .def guest_syscall_entry; .scl 2; .type 32; .endef
    .p2align 4
guest_syscall_entry:
    cmpl $0x1200, %eax              /* GUEST_SYSCALLS */
    jae 2f
    cmpl $0x1000, %eax              /* GUEST_WIN32U_FIRST */
    jae 4f
3:  leaq guest_syscall_table(%rip), %r11
    movl (%r11,%rax,8), %ecx
    testl %ecx, %ecx
    jz 2f
    testb $1, %cl                   /* GUEST_FILTERED */
    jz 1f
    movl 4(%r11,%rax,8), %r11d
    movl 0x30(%rsp), %ecx
    btl %ecx, %r11d
    leaq guest_syscall_table(%rip), %r11
    jc 1f
    movq guest_shared(%rip), %rcx
    cmpl $0, STALE_OPENS(%rcx)
    je 2f
1:  movl (%r11,%rax,8), %r11d
    andl $-2, %r11d
    movq (%rsp), %rcx
    cmpb $0xc3, -11(%rcx)           /* where the host would return to */
    jne 2f
    movabsq $BASE, %rcx
    addq %rcx, %r11
    movq %r10, %rcx
    addq $8, %rsp
    jmp *%r11
2:  jmp *guest_host_syscall(%rip)
/* A call of win32u: window/calls.c sees it first if it is the process's first one, or if an
 * argument is the number of a window or thread. */
4:  cmpb $0, guest_window_connected(%rip)
    je 5f
    leaq guest_window_calls-0x4000(%rip), %r11
    cmpl $0, (%r11,%rax,4)
    je 3b
5:  subq $0x50, %rsp
    movq %r10, 0x20(%rsp)
    movq %rdx, 0x28(%rsp)
    movq %r8, 0x30(%rsp)
    movq %r9, 0x38(%rsp)
    movl %eax, 0x40(%rsp)
    movl %eax, %ecx
    leaq 0x20(%rsp), %rdx
    leaq 0x80(%rsp), %r8            /* what follows the first four arguments */
    call guest_window_enter
    movq 0x20(%rsp), %r10
    movq 0x28(%rsp), %rdx
    movq 0x30(%rsp), %r8
    movq 0x38(%rsp), %r9
    movl 0x40(%rsp), %eax
    addq $0x50, %rsp
    jmp 3b

/* --- Unix parts of modules ------------------------------------------------------------ *
 * NTSTATUS (handle, code, arguments): the first function of ntdll's own Unix part loads a
 * library of the machine below; the others, and those of all other modules, are the host's. */
    .globl guest_unix_entry
    .def guest_unix_entry; .scl 2; .type 32; .endef
    .p2align 4
guest_unix_entry:
    testl %edx, %edx
    jnz 1f
    cmpq guest_ntdll_unix(%rip), %rcx
    je 2f
1:  jmp *guest_host_unix_call(%rip)
2:  movq %r8, %rcx
    jmp guest_load_so

/* --- exceptions ---------------------------------------------------------------------- *
 * Stands in front of the host's KiUserExceptionDispatcher. */
    .globl guest_exception_entry, guest_dispatcher_saved
    .def guest_exception_entry; .scl 2; .type 32; .endef
    .p2align 4
guest_exception_entry:
    movabsq $BASE, %rax
    movq 0xf8(%rsp), %rcx
    subq %rax, %rcx
    movl guest_image_size(%rip), %eax
    cmpq %rax, %rcx
    jb 1f
guest_dispatcher_saved:             /* written by guest_hooks_prepare: sets flags */
    .fill 16, 1, 0xcc
    movq guest_dispatcher_rest(%rip), %rax
    jmp *%rax
1:  movq %rsp, %rcx
    leaq 0x4f0(%rsp), %rdx
    subq $0x20, %rsp
    call guest_fault
    addq $0x20, %rsp
    jmp guest_dispatcher_saved

/* --- copying ------------------------------------------------------------------------- *
 * bool guest_copy(void *dst, const void *src, size_t size) */
    .globl guest_copy, guest_copy_start, guest_copy_end, guest_copy_fail
    .def guest_copy; .scl 2; .type 32; .endef
    .seh_proc guest_copy
    .p2align 4
guest_copy:
    pushq %rdi
    .seh_pushreg %rdi
    pushq %rsi
    .seh_pushreg %rsi
    .seh_endprologue
    movq %rcx, %rdi
    movq %rdx, %rsi
guest_copy_start:
    cmpq $64, %r8
    ja 2f
1:  subq $8, %r8                    /* small blocks: structures of a few words */
    jb 3f
    movq (%rsi), %rax
    movq %rax, (%rdi)
    addq $8, %rsi
    addq $8, %rdi
    jmp 1b
3:  addq $8, %r8
2:  movq %r8, %rcx
    rep movsb
guest_copy_end:
    movl $1, %eax
    popq %rsi
    popq %rdi
    ret
guest_copy_fail:
    xorl %eax, %eax
    popq %rsi
    popq %rdi
    ret
    .seh_endproc
