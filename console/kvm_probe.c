#include "console/kvm_probe.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CODE = 0x1000, RAM = 0x10000, PORT = 0x80, ANSWER = 45, PATIENCE_MS = 3000 };
/* mov cx, 9; xor ax, ax; again: add ax, cx; loop again; out 80h, al; hlt */
static const unsigned char code[] = { 0xb9, 0x09, 0x00, 0x31, 0xc0, 0x01, 0xc8, 0xe2, 0xfc, 0xe6, PORT, 0xf4 };

static int fail(char *text, size_t size, const char *what)
{
    snprintf(text, size, "%s: %s", what, strerror(errno));
    return 1;
}

/* A virtual machine of one page of code in real mode: it adds, says the sum at a port, and halts. 0: it did. */
static int run_machine(int vm, int shared_size, char *text, size_t size)
{
    void *ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = { .memory_size = RAM, .userspace_addr = (uintptr_t)ram };
    struct kvm_sregs sregs;
    struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
    if (ram == MAP_FAILED || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return fail(text, size, "it takes no memory");
    memcpy((char *)ram + CODE, code, sizeof(code));
    int cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    if (cpu < 0)
        return fail(text, size, "it makes no processor");
    struct kvm_run *run = mmap(NULL, (size_t)shared_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
    if (run == MAP_FAILED || ioctl(cpu, KVM_GET_SREGS, &sregs) < 0)
        return fail(text, size, "its processor has no registers");
    sregs.cs.base = 0, sregs.cs.selector = 0;
    if (ioctl(cpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(cpu, KVM_SET_REGS, &regs) < 0)
        return fail(text, size, "its processor takes no registers");
    for (unsigned said = 0;;) {
        if (ioctl(cpu, KVM_RUN, 0) < 0)
            return fail(text, size, "its processor does not run");
        if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT)
            said = *((unsigned char *)run + run->io.data_offset);
        else if (run->exit_reason == KVM_EXIT_HLT && said == ANSWER)
            return 0;
        else
            return snprintf(text, size, "a program in real mode ended with exit %u and %u instead of %d", run->exit_reason, said, ANSWER), 1;
    }
}

static int probe(char *text, size_t size)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0 && errno == ENOENT)
        return snprintf(text, size, "this host has no /dev/kvm"), 1;
    if (kvm < 0)
        return fail(text, size, "/dev/kvm cannot be opened");
    int version = ioctl(kvm, KVM_GET_API_VERSION, 0), vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (version != KVM_API_VERSION)
        return snprintf(text, size, "/dev/kvm has version %d of the interface, not %d", version, KVM_API_VERSION), 1;
    if (vm < 0)
        return fail(text, size, "/dev/kvm makes no virtual machine");
    return run_machine(vm, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), text, size);
}

bool kvm_works(char *text, size_t size)
{
    int ends[2], status = 1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return fail(text, size, "a pipe cannot be made"), false;
    fflush(NULL);
    pid_t child = fork();
    if (!child) {
        char said[KVM_TEXT] = "";
        int code_of = probe(said, sizeof(said));
        ssize_t n = write(ends[1], said, sizeof(said));
        _exit(n == sizeof(said) ? code_of : 1);
    }
    close(ends[1]);
    snprintf(text, size, "a program in real mode did not end within %d s", PATIENCE_MS / 1000);
    struct pollfd end = { .fd = ends[0], .events = POLLIN };
    char said[KVM_TEXT];
    if (child > 0 && poll(&end, 1, PATIENCE_MS) == 1 && read(ends[0], said, sizeof(said)) == sizeof(said))
        snprintf(text, size, "%.*s", (int)sizeof(said) - 1, said);
    else if (child > 0)
        kill(child, SIGKILL);
    close(ends[0]);
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
}
