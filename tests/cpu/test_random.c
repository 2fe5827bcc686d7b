/* Random bytes as code, descriptors and page tables, in every mode: nothing that a guest does may end this program, run out of its
 * memory, or leave the CPU's derived state wrong. Deterministic: each case is a seed. Runs longer with HOLDOVER_RANDOM=cases. */
#include "tests/support/image_bench.h"
#include "tests/support/random.h"
#include "engine/engine.h"
#include "x86/segment.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>


/* System instructions, more often than chance would bring them. */
static void spice(uint8_t *code, size_t length)
{
    static const uint8_t words[][4] = {
        { 0x0f, 0x01 }, { 0x0f, 0x00 }, { 0x0f, 0x22 }, { 0x0f, 0x20 }, { 0x0f, 0x23 }, { 0x0f, 0x30 }, { 0x0f, 0x02, 0xc0 },
        { 0x0f, 0x03, 0xc1 }, { 0x8e }, { 0xcf }, { 0xcb }, { 0xca }, { 0x9a }, { 0xea }, { 0xcd }, { 0xcc }, { 0xf1 }, { 0x9d },
        { 0x17 }, { 0x1f }, { 0x07 }, { 0x0f, 0xa1 }, { 0x0f, 0xa9 }, { 0xfb }, { 0xfa }, { 0xc5 }, { 0xc4 }, { 0x0f, 0xb2 }, { 0xc8 },
        { 0x0f, 0xae }, { 0xdd }, { 0xd9 }, { 0x0f, 0x34 }, { 0x0f, 0x35 }, { 0x62 }, { 0x63 }, { 0xff }, { 0xf3, 0xa4 }, { 0xf3, 0xab },
        { 0xf2, 0xae }, { 0x0f, 0xc7 }, { 0x0f, 0x6f }, { 0x0f, 0x10 }, { 0x66, 0x0f }, { 0xe4 }, { 0xf3, 0x6c }, { 0x60 }, { 0x61 },
    };
    for (size_t at = 0; at + 8 < length; at += 1 + draw_of(12)) {
        const uint8_t *w = words[draw_of(ARRAY_SIZE(words))];
        for (unsigned n = 0; n < 4 && (n == 0 || w[n]); n++)
            code[at++] = w[n];
    }
}

static void random_descriptor(uint8_t *at)
{
    static const uint8_t access[] = { 0x93, 0x9b, 0xf3, 0xfb, 0x9f, 0x97, 0x91, 0x99, 0x89, 0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x8c,
                                      0x8e, 0x8f, 0xe4, 0xec, 0xee, 0xef, 0xe5, 0x13, 0xb3, 0xbb };
    le32_put(at, draw());
    le32_put(at + 4, draw());
    if (draw_of(4)) {
        at[5] = access[draw_of(sizeof access)];
        at[2] = (uint8_t)draw_of(256);          /* gates: selectors inside the table */
        at[3] = 0;
        at[4] = 0;
        at[7] = draw_of(2) ? 0 : (uint8_t)draw();
    }
}

static void random_memory(struct image_bench *b)
{
    uint32_t *p = (uint32_t *)b->ram;
    for (unsigned n = 0; n < 0x80000 / 4; n++)
        p[n] = draw();
    spice(b->ram + 0x10000, 0x20000);
    for (unsigned n = 0; n < 256; n++) {        /* GDT at 1000h, IDT at 2000h */
        random_descriptor(b->ram + 0x1000 + n * 8);
        random_descriptor(b->ram + 0x2000 + n * 8);
    }
    for (unsigned n = 0; n < 1024; n++) {       /* directory at 3000h, a table at 4000h: mostly present, mostly low memory */
        le32_put(b->ram + 0x3000 + n * 4, draw_of(8) ? (draw_of(2) ? 0x4007 : (draw() & 0x3f0007) | 0x80) : draw());
        le32_put(b->ram + 0x4000 + n * 4, draw_of(8) ? (draw() & 0x7f067) | 1 : draw());
    }
    le32_put(b->ram + 0x3000, 0x4027);
}

static void random_cpu(struct cpu *c)
{
    machine_reset(c->dev.machine, RESET_HARD);
    atomic_store(&c->pending, 0);
    for (unsigned n = EAX; n <= EDI; n++)
        c->gpr[n] = draw_of(3) ? draw_of(0x80000) : draw();
    c->gdtr = (struct table_register){ 0x1000, (uint16_t)(draw_of(8) ? 0x7ff : draw()) };
    c->idtr = (struct table_register){ 0x2000, (uint16_t)(draw_of(8) ? 0x7ff : draw()) };
    c->cr3 = 0x3000;
    c->cr4 = draw() & c->cr4_allowed & (draw_of(4) ? ~(uint32_t)CR4_PAE : ~0u);
    if (draw_of(4))
        c->cr0 |= CR0_PE | (draw_of(2) ? CR0_PG : 0) | (draw() & (CR0_WP | CR0_AM | CR0_NE | CR0_MP | CR0_TS));
    cpu_set_flags(c, draw() & (draw_of(4) ? ~(uint32_t)(FLAG_TF | FLAG_VM) : ~0u));
    if (!cpu_protected(c))
        c->eflags &= ~(uint32_t)FLAG_VM;
    c->cpl = (uint8_t)(!cpu_protected(c) ? 0 : cpu_v86(c) ? 3 : draw_of(4));
    for (unsigned n = ES; n <= GS; n++) {
        c->seg[n].selector = (uint16_t)(draw_of(256) * 8 | c->cpl);
        c->seg[n].access = 0x93u | (n == CS && !cpu_v86(c) && cpu_protected(c) ? 8 : 0) | (uint32_t)c->cpl << 5 | (draw_of(2) ? SEG_DB : 0);
        c->seg[n].limit = draw_of(3) ? 0xffffffff : draw_of(0x20000);
        c->seg[n].base = draw_of(3) ? 0 : draw_of(0x10000);
        if (cpu_v86(c))
            c->seg[n] = (struct segment){ .selector = 0x1000, .access = 0xf3, .base = 0x10000, .limit = 0xffff };
    }
    c->seg[CS].limit = MAX(c->seg[CS].limit, 0xffff);
    c->eip = cpu_v86(c) ? draw_of(0x10000) : 0x10000 + draw_of(0x10000);
    if (c->eip > c->seg[CS].limit)
        c->eip &= 0xffff;
    c->seg[TR] = (struct segment){ .selector = 0x28, .access = draw_of(4) ? 0x8b : 0x83, .base = 0x5000, .limit = draw_of(2) ? 0x2067 : 0x67 };
    for (unsigned n = 0; n < 4; n++)
        c->dr[n] = draw_of(0x40000);
    c->dr[7] = draw_of(8) ? DR7_FIXED : (draw() & 0xffff03ff) | DR7_FIXED;
    mmu_flush(c, true);
    segment_mode_changed(c);
}

/* What the engine and the guest rely on, whatever was executed. */
static void check(struct cpu *c, unsigned seed)
{
    cr_assert_leq(c->cpl, 3, "seed %u", seed);
    cr_assert_eq(c->gpr[GPR_ZERO], 0, "seed %u", seed);
    cr_assert_eq(c->eflags & ~(c->flags_fixed | FLAG_1), 0, "seed %u", seed);
    cr_assert(!cpu_v86(c) || (c->cpl == 3 && cpu_protected(c)), "seed %u", seed);
    cr_assert_eq(c->tlb->now == c->tlb->user, c->cpl == 3, "seed %u", seed);
    cr_assert_eq(c->cr4 & ~c->cr4_allowed, 0, "seed %u", seed);
    for (unsigned n = ES; n <= GS; n++) {
        struct segment s = c->seg[n];
        segment_update(c, n);
        cr_assert_eq(s.read_limit, c->seg[n].read_limit, "seed %u, segment %u", seed, n);
        cr_assert_eq(s.write_limit, c->seg[n].write_limit, "seed %u, segment %u", seed, n);
    }
}

Test(random, bytes_as_code)
{
    static const char *const models[] = { "model=386", "model=486", "model=pentium", "model=pentium3", "model=pentium4" };
    const char *more = getenv("HOLDOVER_RANDOM");
    unsigned cases = more ? (unsigned)atoi(more) : 60;
    for (unsigned m = 0; m < ARRAY_SIZE(models); m++) {
        struct image_bench *b = image_bench_new("triple", models[m]);
        for (unsigned seed = 1; seed <= cases; seed++) {
            state = seed * 0x9e3779b97f4a7c15;
            random_memory(b);
            for (unsigned run = 0; run < 16; run++) {
                random_cpu(b->cpu);
                image_bench_run(b, 300);
                check(b->cpu, seed);
            }
        }
        image_bench_free(b);
    }
}
