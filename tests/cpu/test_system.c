/* The CPU as a device: reset, models and CPUID, MSRs, the local APIC, saved state. No instruction is executed but where an image is
 * named. */
#include "tests/support/image_bench.h"
#include "x86/apic.h"
#include "x86/mmu.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* A machine with CPUs and 1 MiB of RAM, not running. */
struct bench { struct machine *m; struct cpu *c; uint8_t *ram; };

static struct bench bench_cpus(unsigned count, const char *options)
{
    struct error err = { 0 };
    struct bench b = { .m = machine_new(NULL, false, &err) };
    b.ram = calloc(1, 1 << 20);
    space_map_ram(b.m->memory, 0, 1 << 20, b.ram, RAM_WRITABLE, 0);
    for (unsigned i = 0; i < count; i++) {
        char id[16];
        snprintf(id, sizeof id, "cpu%u", i);
        cr_assert(machine_add(b.m, "cpu", id, options, &err), "%s", err.text);
    }
    b.c = cpu_of(b.m->cpus[0]);
    machine_reset(b.m, RESET_POWER);
    return b;
}

static void bench_done(struct bench *b)
{
    machine_free(b->m);
    free(b->ram);
}

static bool refused(const char *options, struct error *err)
{
    struct machine *m = machine_new(NULL, false, err);
    bool made = machine_add(m, "cpu", "cpu0", options, err);
    machine_free(m);
    return !made;
}

/* --- reset [SDM3A, table 9-1] ------------------------------------------------------------------------------------- */
Test(system, state_after_power_on)
{
    struct bench b = bench_cpus(1, "model=pentium3");
    struct cpu *c = b.c;
    cr_assert_eq(cpu_flags(c), 2);
    cr_assert_eq(c->eip, 0xfff0);
    cr_assert_eq(c->cr0, 0x60000010);
    cr_assert_eq(c->seg[CS].selector, 0xf000);
    cr_assert_eq(c->seg[CS].base, 0xffff0000);
    cr_assert_eq(c->seg[DS].limit, 0xffff);
    cr_assert_eq(c->gpr[EDX], 0x686);
    cr_assert_eq(c->dr[6], 0xffff0ff0);
    cr_assert_eq(c->dr[7], 0x400);
    cr_assert_eq(c->idtr.limit, 0xffff);
    cr_assert_eq(c->apic_base, 0xfee00900);
    cr_assert_eq(c->fpu.control, 0x40);
    cr_assert_eq(c->mxcsr, 0x1f80);
    cr_assert_eq(c->pat, 0x0007040600070406);
    bench_done(&b);
}

Test(system, init_keeps_what_it_must)
{
    struct bench b = bench_cpus(1, "model=pentium3");
    struct cpu *c = b.c;
    c->cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_WP;
    c->fpu.control = 0x37f;
    c->xmm[3].dword[1] = 77;
    c->sysenter_cs = 8;
    c->mtrr_def = 0xc06;
    c->gpr[EBX] = 5;
    c->apic->id = 3u << 24;
    cpu_reset(c, RESET_SOFT);
    cr_assert_eq(c->cr0, 0x10);
    cr_assert_eq(c->gpr[EBX], 0);
    cr_assert_eq(c->fpu.control, 0x37f);
    cr_assert_eq(c->xmm[3].dword[1], 77);
    cr_assert_eq(c->sysenter_cs, 8);
    cr_assert_eq(c->mtrr_def, 0xc06);
    cr_assert_eq(c->apic->id, 3u << 24);
    cpu_reset(c, RESET_HARD);
    cr_assert_eq(c->fpu.control, 0x40);
    cr_assert_eq(c->sysenter_cs, 0);
    bench_done(&b);
}

Test(system, a_386_has_neither_AC_nor_ID_nor_CR4)
{
    struct bench b = bench_cpus(1, "model=386");
    cpu_set_flags(b.c, 0xffffffff);
    cr_assert_eq(cpu_flags(b.c), 0x37fd7);
    cr_assert_eq(b.c->cr4_allowed, 0);
    cr_assert_eq(b.c->gpr[EDX], 0x308);
    cr_assert_null(b.c->apic);
    bench_done(&b);
    b = bench_cpus(1, "model=486");
    cpu_set_flags(b.c, 0xffffffff);
    cr_assert_eq(cpu_flags(b.c), 0x77fd7);
    bench_done(&b);
    b = bench_cpus(1, "model=pentium");
    cpu_set_flags(b.c, 0xffffffff);
    cr_assert_eq(cpu_flags(b.c), 0x3f7fd7);
    bench_done(&b);
}

Test(system, a_triple_fault_resets_the_cpu_alone)
{
    struct image_bench *b = image_bench_new("triple", "model=pentium");
    cr_assert_eq(image_bench_run(b, 100000), IMAGE_SHUTDOWN);
    cr_assert(b->cpu->shutdown);
    cpu_class.input(&b->cpu->dev, CPU_INIT, true);
    cr_assert(cpu_interrupt_ready(b->cpu));
    cr_assert_eq(image_bench_run(b, 100000), IMAGE_WROTE);
    cr_assert_eq(b->verdict, 0);
    image_bench_free(b);
}

/* --- models ------------------------------------------------------------------------------------------------------- */
Test(system, cpuid_of_the_models)
{
    static const struct { const char *options; uint32_t max, eax, edx; } rows[] = {
        { "model=486dx4", 1, 0x480, 0x00000003 },
        { "model=pentium", 1, 0x52c, 0x000001bf },
        { "model=pentium-mmx", 1, 0x543, 0x008001bf },
        { "model=pentium-pro", 2, 0x619, 0x0000fbff },
        { "model=pentium2", 2, 0x652, 0x0183fbff },
        { "model=pentium3", 2, 0x686, 0x0383fbff },
        { "model=pentium4", 2, 0xf29, 0x0f8bfbff },
        { "model=pentium4,cpuid-max=1", 1, 0xf29, 0x0f8bfbff },
        { "model=pentium3,features=-sse-pae+sse2", 0, 0, 0 },
        { "model=pentium3,features=-pae-apic", 2, 0x686, 0x0383f9bf },
        { "model=pentium,features=+mmx +cmov", 1, 0x52c, 0x008081bf },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        uint32_t out[4];
        struct error err = { 0 };
        if (!rows[i].eax) {
            cr_assert(refused(rows[i].options, &err));
            cr_assert_str_eq(err.text, "the CPU features do not fit together: sse2 needs sse");
            continue;
        }
        struct bench b = bench_cpus(1, rows[i].options);
        cpu_cpuid(b.c, 0, out);
        cr_assert_eq(out[0], rows[i].max, "%s", rows[i].options);
        cr_assert(!memcmp(&out[1], "Genu", 4) && !memcmp(&out[3], "ineI", 4) && !memcmp(&out[2], "ntel", 4));
        cpu_cpuid(b.c, 1, out);
        cr_assert_eq(out[0], rows[i].eax, "%s", rows[i].options);
        cr_assert_eq(out[3], rows[i].edx, "%s: %08x", rows[i].options, out[3]);
        bench_done(&b);
    }
}

Test(system, pentium4_brand_string_tells_the_clock)
{
    struct bench b = bench_cpus(1, "model=pentium4,clock=2800000000");
    uint32_t out[12];
    for (uint32_t i = 0; i < 3; i++)
        cpu_cpuid(b.c, 0x80000002 + i, out + i * 4);
    cr_assert_str_eq((char *)out, "Intel(R) Pentium(R) 4 CPU 2.80GHz");
    cpu_cpuid(b.c, 0x80000000, out);
    cr_assert_eq(out[0], 0x80000004);
    bench_done(&b);
}

Test(system, unknown_models_and_features_name_those_that_exist)
{
    struct error err = { 0 };
    cr_assert(refused("model=8086", &err));
    cr_assert_str_eq(err.text, "there is no CPU model '8086'; it is one of 386, 486sx, 486, 486dx4, pentium, pentium-mmx, pentium-pro, "
                               "pentium2, pentium3, pentium4");
    cr_assert(refused("features=+turbo", &err));
    cr_assert(strstr(err.text, "'turbo' is not one of fpu vme"));
}

/* --- MSRs --------------------------------------------------------------------------------------------------------- */
Test(system, msrs)
{
    struct bench b = bench_cpus(1, "model=pentium3,clock=1000000000");
    uint64_t v;
    cr_assert(cpu_msr_read(b.c, 0x1b, &v) && v == 0xfee00900);
    cr_assert(!cpu_msr_write(b.c, 0x1b, 0x1fee00801), "reserved bits");
    cr_assert(cpu_msr_write(b.c, 0x277, 0x0606060606060606));
    cr_assert(!cpu_msr_write(b.c, 0x277, 2), "no such memory type");
    cr_assert(!cpu_msr_write(b.c, 0x2ff, 0x802));
    cr_assert(cpu_msr_write(b.c, 0x200, 0xffffff006));
    cr_assert(!cpu_msr_write(b.c, 0x200, 0x1000000006), "beyond 36 bits");
    cr_assert(cpu_msr_read(b.c, 0xfe, &v) && (v & 0xff) == 8);
    cr_assert(!cpu_msr_read(b.c, 0xc0000080, &v), "no EFER");
    cr_assert(!cpu_msr_read(b.c, 0x12345, &v));
    cr_assert(cpu_msr_write(b.c, 0x10, 0xffffffff00000000));
    uint64_t before = cpu_tsc(b.c);
    cr_assert_lt(before, 1000000u, "the high half cannot be written before the Pentium 4");
    bench_done(&b);
    b = bench_cpus(1, "model=pentium");
    cr_assert(!cpu_msr_read(b.c, 0x1b, &v));
    cr_assert(!cpu_msr_read(b.c, 0x174, &v));
    cr_assert(cpu_msr_read(b.c, 0x11, &v));
    bench_done(&b);
}

/* --- local APIC [SDM3A, chapter 10] ------------------------------------------------------------------------------- */
enum { ID = 0x20, VERSION = 0x30, TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0, SVR = 0xf0, ISR = 0x100, TMR = 0x180,
       IRR = 0x200, ESR = 0x280, ICR = 0x300, ICR2 = 0x310, TIMER = 0x320, LINT0 = 0x350, LINT1 = 0x360, INITIAL = 0x380,
       CURRENT = 0x390, DIVIDE = 0x3e0 };

static void fixed(struct machine *m, unsigned id, unsigned vector, bool level)
{
    space_write(m->memory, 0xfee00000 + (id << 12), 4, vector | (level ? 0xc000 : 0));
}

Test(system, apic_priorities)
{
    struct bench b = bench_cpus(1, "");
    struct cpu *c = b.c;
    fixed(b.m, 0, 0x40, false);
    cr_assert(!apic_ready(c), "not enabled");
    apic_write(c, SVR, 0x1ff);
    cr_assert_eq(apic_read(c, IRR + 0x20), 0, "what comes while it is disabled is lost");
    fixed(b.m, 0, 0x41, false);
    fixed(b.m, 0, 0x52, false);
    fixed(b.m, 1, 0x99, false);
    cr_assert_eq(apic_read(c, IRR + 0x20), 0x00040002u);
    apic_write(c, TPR, 0x50);
    cr_assert(!apic_ready(c), "not above the task priority");
    apic_write(c, TPR, 0x4f);
    cr_assert(apic_ready(c));
    cr_assert_eq(apic_acknowledge(c), 0x52);
    cr_assert_eq(apic_read(c, PPR), 0x50);
    cr_assert(!apic_ready(c));
    cr_assert_eq(apic_acknowledge(c), 0xff, "spurious");
    apic_write(c, EOI, 0);
    cr_assert(!apic_ready(c), "41h is of the task priority's class");
    apic_write(c, TPR, 0);
    cr_assert_eq(apic_acknowledge(c), 0x41);
    fixed(b.m, 0, 0x48, false);
    cr_assert(!apic_ready(c), "the same class as the one in service");
    apic_write(c, EOI, 0);
    cr_assert_eq(apic_acknowledge(c), 0x48);
    bench_done(&b);
}

static uint8_t ended;
static void count_eoi(void *board, uint8_t vector) { (void)board; ended = vector; }

Test(system, apic_level_interrupts_tell_the_io_apic)
{
    struct bench b = bench_cpus(1, "");
    b.c->pins.eoi = count_eoi;
    apic_write(b.c, SVR, 0x1ff);
    fixed(b.m, 0, 0x61, true);
    fixed(b.m, 0, 0x71, false);
    cr_assert_eq(apic_read(b.c, TMR + 0x30), 2);
    cr_assert_eq(apic_acknowledge(b.c), 0x71);
    apic_write(b.c, EOI, 0);
    cr_assert_eq(ended, 0);
    cr_assert_eq(apic_acknowledge(b.c), 0x61);
    apic_write(b.c, EOI, 0);
    cr_assert_eq(ended, 0x61);
    bench_done(&b);
}

Test(system, apic_destinations)
{
    struct bench b = bench_cpus(3, "");
    struct cpu *c[3];
    for (unsigned i = 0; i < 3; i++) {
        c[i] = cpu_of(b.m->cpus[i]);
        cr_assert_eq(apic_read(c[i], ID), i << 24);
        apic_write(c[i], SVR, 0x1ff);
        apic_write(c[i], LDR, 0x01000000u << i);
    }
    apic_write(c[0], ICR2, 1u << 24);
    apic_write(c[0], ICR, 0x30);                                /* physical, to 1 */
    cr_assert(!apic_ready(c[0]) && apic_ready(c[1]) && !apic_ready(c[2]));
    cr_assert_eq(apic_acknowledge(c[1]), 0x30);
    apic_write(c[0], ICR2, 0x05000000);
    apic_write(c[0], ICR, 0x831);                               /* logical, flat: 0 and 2 */
    cr_assert(apic_ready(c[0]) && apic_ready(c[2]));
    cr_assert_eq(apic_acknowledge(c[0]), 0x31);
    cr_assert_eq(apic_acknowledge(c[2]), 0x31);
    apic_write(c[0], ICR, 0xc0041);                             /* all but self */
    cr_assert(!apic_ready(c[0]) && apic_ready(c[1]) && apic_ready(c[2]));
    apic_write(c[1], DFR, 0x0fffffff);                          /* cluster */
    apic_write(c[1], LDR, 0x21000000);
    apic_write(c[0], ICR2, 0x21000000);
    apic_write(c[0], ICR, 0x852);
    cr_assert_eq(apic_read(c[1], IRR + 0x20) & 1 << 18, 1 << 18);
    apic_write(c[0], ICR2, 0xff000000);
    apic_write(c[2], TPR, 0x80);
    apic_write(c[0], ICR, 0x9a5);                               /* lowest priority: one of them, not the busiest */
    unsigned got = 0;
    for (unsigned i = 0; i < 3; i++)
        got += apic_read(c[i], IRR + 0x50) >> 5 & 1;
    cr_assert_eq(got, 1);
    cr_assert_eq(apic_read(c[2], IRR + 0x50), 0);
    apic_write(c[0], ICR, 0x5);                                 /* vectors below 16 are an error */
    apic_write(c[0], ESR, 0);
    cr_assert_eq(apic_read(c[0], ESR), 0x20);
    bench_done(&b);
}

Test(system, apic_startup_of_a_second_cpu)
{
    struct bench b = bench_cpus(2, "");
    struct cpu *ap = cpu_of(b.m->cpus[1]);
    cr_assert(ap->halted);
    cr_assert_eq(ap->apic_base, 0xfee00800);
    apic_write(b.c, SVR, 0x1ff);
    apic_write(b.c, ICR2, 1u << 24);
    apic_write(b.c, ICR, 0x4500);                               /* INIT */
    cr_assert(cpu_interrupt_ready(ap));
    cpu_service_pending(ap);
    apic_write(b.c, ICR, 0x4698);                               /* SIPI to 98000h */
    cr_assert(!ap->halted);
    cr_assert_eq(ap->seg[CS].selector, 0x9800);
    cr_assert_eq(ap->seg[CS].base, 0x98000);
    cr_assert_eq(ap->eip, 0);
    ap->eip = 0x123;
    apic_write(b.c, ICR, 0x4677);
    cr_assert_eq(ap->eip, 0x123, "only the first counts");
    bench_done(&b);
}

Test(system, apic_timer)
{
    struct bench b = bench_cpus(1, "");
    struct cpu *c = b.c;
    int64_t tick = 10 * 16;                                     /* 100 MHz divided by 16 */
    b.m->cpu_count = 0;                                         /* time is the bench's */
    apic_write(c, SVR, 0x1ff);
    apic_write(c, DIVIDE, 3);
    apic_write(c, TIMER, 0x55);
    apic_write(c, INITIAL, 100);
    cr_assert_eq(apic_read(c, CURRENT), 100);
    machine_step(b.m, tick * 40);
    cr_assert_eq(apic_read(c, CURRENT), 60);
    cr_assert(!apic_ready(c));
    machine_step(b.m, tick * 60);
    cr_assert_eq(apic_acknowledge(c), 0x55);
    apic_write(c, EOI, 0);
    cr_assert_eq(apic_read(c, CURRENT), 0);
    machine_step(b.m, tick * 200);
    cr_assert(!apic_ready(c), "one shot");
    apic_write(c, TIMER, 0x20055);
    apic_write(c, INITIAL, 50);
    for (unsigned i = 0; i < 5; i++) {
        machine_step(b.m, tick * 50);
        cr_assert_eq(apic_acknowledge(c), 0x55);
        apic_write(c, EOI, 0);
    }
    apic_write(c, TIMER, 0x30055);                              /* masked */
    machine_step(b.m, tick * 50);
    cr_assert(!apic_ready(c));
    apic_write(c, INITIAL, 0);
    cr_assert_eq(clock_next(&b.m->clock), TIMER_NEVER);
    bench_done(&b);
}

Test(system, apic_passes_the_8259_through_lint0)
{
    struct bench b = bench_cpus(1, "");
    struct cpu *c = b.c;
    struct device *d = &c->dev;
    c->eflags |= FLAG_IF;
    cpu_class.input(d, CPU_INTR, true);
    cr_assert(cpu_interrupt_ready(c), "disabled by software: as without an APIC");
    apic_write(c, SVR, 0x1ff);
    cr_assert(!cpu_interrupt_ready(c), "LINT0 is masked after reset");
    apic_write(c, LINT0, 0x700);
    cr_assert(cpu_interrupt_ready(c));
    apic_write(c, LINT0, 0x10700);
    cr_assert(!cpu_interrupt_ready(c));
    cr_assert(cpu_msr_write(c, 0x1b, 0xfee00000));              /* hardware disable */
    cr_assert(cpu_interrupt_ready(c));
    uint32_t out[4];
    cpu_cpuid(c, 1, out);
    cr_assert_eq(out[3] & 1 << 9, 0);
    cpu_class.input(d, CPU_INTR, false);
    cr_assert(!cpu_interrupt_ready(c));
    cr_assert(cpu_msr_write(c, 0x1b, 0xfee00800));
    apic_write(c, LINT0, 0x45);                                 /* fixed, edge */
    cpu_class.input(d, CPU_INTR, true);
    cr_assert_eq(apic_acknowledge(c), 0x45);
    apic_write(c, LINT1, 0x400);
    cpu_class.input(d, CPU_NMI, true);
    cr_assert(c->pin_levels & LATCHED_NMI);
    bench_done(&b);
}

Test(system, apic_page_is_the_cpus_own)
{
    struct bench b = bench_cpus(2, "");
    struct cpu *other = cpu_of(b.m->cpus[1]);
    cr_assert_eq(mmu_read(b.c, 0xfee00020, 4), 0);
    cr_assert_eq(mmu_read(other, 0xfee00020, 4), 1u << 24);
    mmu_write(other, 0xfee00080, 4, 0x33);
    cr_assert_eq(other->apic->tpr, 0x33);
    cr_assert_eq(b.c->apic->tpr, 0);
    cr_assert(cpu_msr_write(b.c, 0x1b, 0x00080900));            /* moved over RAM */
    cr_assert_eq(mmu_read(b.c, 0x80030, 4) & 0xff, 0x11);
    b.ram[0x80030] = 0x77;
    cr_assert_eq(mmu_read(other, 0x80030, 1), 0x77);
    bench_done(&b);
}

/* --- saved state -------------------------------------------------------------------------------------------------- */
Test(system, saved_state_comes_back)
{
    struct bench a = bench_cpus(1, "model=pentium4"), b = bench_cpus(1, "model=pentium4");
    struct stream s = { 0 }, again = { 0 };
    struct error err = { 0 };
    struct cpu *c = a.c;
    char text[256] = "";
    c->cr0 |= CR0_PE;
    c->cpl = 3;
    c->gpr[ESI] = 0x1234567;
    cpu_set_flags(c, 0x3ed7);
    c->seg[FS] = (struct segment){ .selector = 0x23, .access = 0xc0f3, .base = 0x1000, .limit = 0xfffff };
    c->xmm[7].dword[3] = 0xdeadbeef;
    c->fpu.reg[2] = (struct float80){ 1ull << 63, 0x3fff };
    apic_write(c, SVR, 0x1ff);
    apic_write(c, TIMER, 0x20044);
    apic_write(c, INITIAL, 1000);
    cr_assert(machine_save(a.m, &s, &err), "%s", err.text);
    s.position = 0;
    cr_assert(machine_load(b.m, &s, &err), "%s", err.text);
    cr_assert(state_diff(cpu_class.state, a.c, b.c, text, sizeof text), "%s", text);
    cr_assert_eq(b.c->seg[FS].read_limit, 0xfffff, "what is derived is rebuilt");
    cr_assert_eq(b.c->tlb->now, b.c->tlb->user);
    cr_assert(machine_save(b.m, &again, &err));
    cr_assert_eq(s.length, again.length);
    cr_assert(!memcmp(s.bytes, again.bytes, s.length));
    stream_free(&s);
    stream_free(&again);
    bench_done(&a);
    bench_done(&b);
}

Test(system, impossible_saved_state_is_refused)
{
    struct bench a = bench_cpus(1, "model=pentium4"), b = bench_cpus(1, "model=386");
    struct stream s = { 0 };
    struct error err = { 0 };
    cpu_set_flags(a.c, FLAG_ID);
    cr_assert(machine_save(a.m, &s, &err));
    s.position = 0;
    cr_assert(!machine_load(b.m, &s, &err));
    stream_free(&s);
    bench_done(&a);
    bench_done(&b);
}
