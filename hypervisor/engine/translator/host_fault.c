/* Faults of the host's MMU: an access of translated code through a window met a page that is not mapped there.
 *
 * The signal handler only moves the program counter, to the slow path that was emitted for that very instruction: registers and flags are
 * still the guest's. A fault anywhere else is an error of ours: it is reported, and ends the process as it would have without us. */
#include "engine/translator/translator.h"
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

static _Thread_local struct translator *runs;   /* the translator whose code this thread executes */
static struct sigaction before;

/* The slow path of the access at `pc`, or NULL. Chunks hold their translations in the order of their addresses, the newest first. */
static uint8_t *slow_path(struct translator *tr, const uint8_t *pc)
{
    const uint8_t *at = pc - tr->run;           /* in the writable mapping */
    const struct code_chunk *k = &tr->chunks[(size_t)(at - tr->code) / CHUNK_BYTES];
    const struct translation *t = k->translations;
    while (t && t->landing > at)
        t = t->next_in_chunk;
    for (unsigned n = 0; t && n < t->access_count; n++)
        if (t->landing + t->accesses[n].at == at)
            return t->landing + t->accesses[n].slow + tr->run;
    return NULL;
}

static void host_fault(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    const uint8_t *pc = (const uint8_t *)u->uc_mcontext.gregs[REG_RIP];
    struct translator *tr = runs;
    if (tr && (size_t)(pc - (tr->code + tr->run)) < (size_t)tr->chunk_count * CHUNK_BYTES) {
        uint8_t *slow = slow_path(tr, pc);
        if (slow) {
            u->uc_mcontext.gregs[REG_RIP] = (greg_t)slow;
            return;
        }
    }
    if (before.sa_flags & SA_SIGINFO && before.sa_sigaction) {
        before.sa_sigaction(number, info, context);
        return;
    }
    static const char text[] = "holdover: a fault in the program itself, not in the guest; please report it\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    sigaction(number, &before, NULL);           /* the instruction is executed again, and ends the process */
}

static void install(void)
{
    struct sigaction ours = { .sa_sigaction = host_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
    sigaction(SIGSEGV, &ours, &before);
}

void host_fault_serve(struct translator *tr)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    runs = tr;
}
