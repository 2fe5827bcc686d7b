/* See pair_bench.h. */
#include "tests/support/pair_bench.h"
#include "engine/translator/translator.h"
#include "x86/fpu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pair pair_new(const char *model, size_t ram)
{
    struct error err = { 0 };
    struct pair p = { .of = { cpu_bench_new(model, ram), cpu_bench_new(model, ram) } };
    struct cpu *c = p.of[1]->cpu;
    c->engine->detach(c);
    if (!translator_engine.attach(c, &err)) {
        fprintf(stderr, "pair bench: %s\n", err.text);
        abort();
    }
    translator_of(c)->threshold = 0;
    translator_of(c)->near = 64;
    return p;
}

void pair_free(struct pair *p)
{
    PAIR_EACH(p, b)
        cpu_bench_free(b);
}

void pair_windows(struct pair *p)
{
    p->windows = true;
    windows_set_heat(translator_of(p->of[1]->cpu)->windows, 0);
}

enum cpu_exit pair_run(struct pair *p, uint64_t n)
{
    struct cpu *a = p->of[0]->cpu, *b = p->of[1]->cpu;
    enum cpu_exit exit = cpu_bench_run(p->of[1], n);
    if (b->instructions > a->instructions || b->halted)
        cpu_bench_run(p->of[0], b->instructions - a->instructions + (b->halted || b->shutdown ? 100 : 0));
    return exit;
}

struct report { char *text; size_t size, used; };
static void add(struct report *r, const char *name, uint64_t a, uint64_t b)
{
    if (a != b && r->used < r->size)
        r->used += (size_t)snprintf(r->text + r->used, r->size - r->used, " %s %llx/%llx", name, (unsigned long long)a, (unsigned long long)b);
}
#define FIELD_DIFFERS(name, field) add(r, name, a->field, b->field)

static void segments_differ(struct report *r, const struct cpu *a, const struct cpu *b)
{
    static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR" };
    for (unsigned n = 0; n < SEGMENT_COUNT; n++) {
        char name[24];
        snprintf(name, sizeof name, "%s's base", names[n]);
        FIELD_DIFFERS(names[n], seg[n].selector);
        FIELD_DIFFERS(name, seg[n].base);
        snprintf(name, sizeof name, "%s's limit", names[n]);
        FIELD_DIFFERS(name, seg[n].limit);
        snprintf(name, sizeof name, "%s's access", names[n]);
        FIELD_DIFFERS(name, seg[n].access);
    }
}

static void fpu_differs(struct report *r, const struct cpu *a, const struct cpu *b)
{
    FIELD_DIFFERS("FCW", fpu.control); FIELD_DIFFERS("FSW", fpu.status); FIELD_DIFFERS("tags", fpu.tags);
    FIELD_DIFFERS("FIP", fpu.ip); FIELD_DIFFERS("FCS", fpu.cs); FIELD_DIFFERS("FDP", fpu.dp); FIELD_DIFFERS("FDS", fpu.ds);
    FIELD_DIFFERS("FOP", fpu.opcode); FIELD_DIFFERS("FERR", ferr); FIELD_DIFFERS("MXCSR", mxcsr);
    for (unsigned n = 0; n < 8; n++) {
        char name[24];
        snprintf(name, sizeof name, "R%u's mantissa", n);
        FIELD_DIFFERS(name, fpu.reg[n].mantissa);
        snprintf(name, sizeof name, "R%u's exponent", n);
        FIELD_DIFFERS(name, fpu.reg[n].exponent);
        snprintf(name, sizeof name, "XMM%u", n);
        for (unsigned k = 0; k < 4; k++)
            FIELD_DIFFERS(name, xmm[n].dword[k]);
    }
}

const char *pair_difference(const struct pair *p, char *text, size_t size)
{
    static const char *const names[] = { "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI" };
    const struct cpu *a = p->of[0]->cpu, *b = p->of[1]->cpu;
    struct report report = { text, size, 0 }, *r = &report;
    *text = 0;
    for (unsigned n = 0; n < 8; n++)
        FIELD_DIFFERS(names[n], gpr[n]);
    FIELD_DIFFERS("EIP", eip);
    add(r, "EFLAGS", cpu_flags(a), cpu_flags(b));
    FIELD_DIFFERS("instructions", instructions); FIELD_DIFFERS("halted", halted); FIELD_DIFFERS("shutdown", shutdown);
    FIELD_DIFFERS("CPL", cpl); FIELD_DIFFERS("CR0", cr0); FIELD_DIFFERS("CR2", cr2); FIELD_DIFFERS("CR3", cr3);
    FIELD_DIFFERS("CR4", cr4); FIELD_DIFFERS("DR6", dr[6]); FIELD_DIFFERS("DR7", dr[7]);
    segments_differ(r, a, b);
    for (size_t page = 0; page < p->of[0]->ram_size && r->used < 200; page += 4096)
        if (memcmp(p->of[0]->ram + page, p->of[1]->ram + page, 4096))
            for (size_t at = page; at < page + 4096 && r->used < 200; at++) {
                char name[24];
                snprintf(name, sizeof name, "[%zx]", at);
                add(r, name, p->of[0]->ram[at], p->of[1]->ram[at]);
            }
    fpu_differs(r, a, b);
    return text;
}
