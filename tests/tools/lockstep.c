/* Boots the same guest on the interpreter and on the translator, in counted time, and compares the two machines every few guest milliseconds:
 * all of every device's saved state, so the registers, and the RAM.
 *     lockstep [--floppy F] [--disk F] [--kernel F --initrd F --append S] [--memory SIZE] [--model M] [--seconds S] [--step MS] [--icount N]
 *              [--press MS:USAGE,...]           keys, as USB usages in hex
 * The first difference is narrowed: both machines are made anew and run to the last moment at which they were equal, then a number of
 * instructions further, until the least number is found after which they differ. What differs is printed by its fields, and what was executed
 * there.
 *
 * Both run in this thread, and an instruction takes the same time on both, so all that devices do happens at the same instruction. The
 * translator leaves the last `near` instructions of each run to the interpreter, which is what makes runs end alike. */
#include "hypervisor.h"
#include "tests/support/engine_bench.h"
#include "base/log.h"
#include "x86/insn.h"
#include "x86/mmu.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { NEAR_NARROW = 256, TRACE_BEFORE = 40, TRACE_AFTER = 8 };
static struct { const char *floppy, *disk, *kernel, *initrd, *append, *memory, *model, *seconds, *step, *icount, *press; } want = {
    .press = "", .memory = "48M", .model = "pentium3", .seconds = "3", .step = "20", .icount = "100000000",
};
static struct profile *profile;
static const struct host no_host;
struct both { struct machine *m[2]; };          /* interpreter, translator */

static uint64_t translated_instructions(const struct cpu *c)
{
    struct engine_counter all[16];
    for (unsigned n = c->engine->counters(c, all, ARRAY_SIZE(all)); n--;)
        if (!strcmp(all[n].name, "translated_instructions"))
            return all[n].value;
    return 0;
}

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "lockstep: %s: %s\n", what, why);
    exit(2);
}

/* --- machines ------------------------------------------------------------------------------------------------------------ */
static struct block *medium(const char *path)
{
    struct error err = { 0 };
    struct block *b = path ? block_open_auto(path, BLOCK_RDONLY, &err) : NULL;
    if (b)
        b = block_open_overlay(b, &err);
    if (path && !b)
        die(path, err.text);
    return b;
}

static void set(const char *key, const char *value)
{
    struct error err = { 0 };
    char text[512];
    snprintf(text, sizeof text, "%s=%s", key, value);
    if (!profile_set_text(profile, text, &err))
        die(text, err.text);
}

static struct both make(void)
{
    struct both b;
    struct error err = { 0 };
    for (unsigned n = 0; n < 2; n++) {
        struct machine_config config = {
            .profile = profile, .virtual_time = true, .engine = n ? "translator" : "interpreter", .kernel = want.kernel,
            .initrd = want.initrd, .append = want.append, .floppy = { { medium(want.floppy) } }, .disk = { { medium(want.disk) } },
        };
        b.m[n] = machine_create(&config, &no_host, &err);
        if (!b.m[n])
            die("machine", err.text);
    }
    return b;
}

static void discard(struct both *b)
{
    machine_free(b->m[0]);
    machine_free(b->m[1]);
}

static struct cpu *cpu_at(const struct both *b, unsigned n) { return cpu_of(b->m[n]->cpus[0]); }
static int64_t now(const struct both *b) { return clock_now(&b->m[0]->clock); }

/* What is pressed in the guest's milliseconds [from, to), and let go. */
static void press(struct both *b, int64_t from, int64_t to)
{
    unsigned usage;
    int64_t ms;
    for (const char *p = want.press; *p; p += strcspn(p, ","), p += *p == ',') {
        if (sscanf(p, "%" SCNd64 ":%x", &ms, &usage) != 2)
            die("--press", p);
        for (unsigned n = 0; n < 2 && ms >= from && ms < to; n++) {
            machine_key(b->m[n], (uint16_t)usage, true);
            machine_key(b->m[n], (uint16_t)usage, false);
        }
    }
}

/* false: a guest ended its run. */
static bool run(struct both *b, int64_t until)
{
    enum stop_reason why[2];
    press(b, now(b) / 1000000, until / 1000000);
    for (unsigned n = 0; n < 2; n++)
        why[n] = machine_run(b->m[n], until);
    if (why[0] == STOP_PAUSED && why[1] == STOP_PAUSED)
        return true;
    printf("lockstep: the guest ended the run, reasons %d and %d\n", why[0], why[1]);
    return false;
}

/* --- comparing ------------------------------------------------------------------------------------------------------------ */
static bool same_ram(const struct both *b, char *text, size_t size)
{
    const struct machine *x = b->m[0], *y = b->m[1];
    for (uint64_t page = 0; page < x->ram_size; page += 4096) {
        if (likely(!memcmp(x->ram + page, y->ram + page, 4096)))
            continue;
        uint64_t at = page;
        while (x->ram[at] == y->ram[at])
            at++;
        snprintf(text, size, "RAM at %llx: %02x != %02x", (unsigned long long)at, x->ram[at], y->ram[at]);
        return false;
    }
    return true;
}

static bool is_ram(const struct device *d, const struct machine *m)
{
    for (const struct state_field *f = d->class->state; f && f->kind != STATE_END; f++)
        if (f->kind == STATE_BYTES && ((const struct state_bytes *)((const char *)d + f->offset))->bytes == m->ram)
            return true;
    return false;
}

/* Prints at most a line for each device when `show`. */
static bool same(const struct both *b, bool show)
{
    char text[256];
    bool equal = true;
    uint64_t x = cpu_at(b, 0)->instructions, y = cpu_at(b, 1)->instructions;
    if (x != y && show)
        printf("  instructions: %llu != %llu\n", (unsigned long long)x, (unsigned long long)y);
    equal &= x == y;
    for (struct device *d = b->m[0]->devices, *e = b->m[1]->devices; d && e; d = d->next, e = e->next) {
        if (is_ram(d, b->m[0]) || state_diff(d->class->state, d, e, text, sizeof text))
            continue;
        equal = false;
        if (show)
            printf("  %s: %s\n", d->id, text);
    }
    if (!same_ram(b, text, sizeof text)) {
        equal = false;
        if (show)
            printf("  %s\n", text);
    }
    return equal;
}

static void show_registers(const struct both *b)
{
    static const char *const names[] = { "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI" };
    const struct cpu *x = cpu_at(b, 0), *y = cpu_at(b, 1);
    for (unsigned n = 0; n < 8; n++)
        printf("  %s %08x %08x%s\n", names[n], x->gpr[n], y->gpr[n], x->gpr[n] != y->gpr[n] ? "  <" : "");
    printf("  EIP %08x %08x%s\n", x->eip, y->eip, x->eip != y->eip ? "  <" : "");
    printf("  EFLAGS %05x %05x%s\n", cpu_flags(x), cpu_flags(y), cpu_flags(x) != cpu_flags(y) ? "  <" : "");
}

/* The last row of the text screen that says something: how far the guest came. */
static void show_screen(const struct both *b)
{
    static uint8_t cells[64 << 10];
    const struct display *d = &b->m[0]->display;
    unsigned columns = 0, rows = 0, length = 0;
    if (!d->chip || !d->text(d->chip, &columns, &rows, cells, sizeof cells))
        return;
    for (unsigned row = rows; row-- && !length;)
        for (unsigned n = 0; n < columns; n++)
            if (cells[row * columns + n] > ' ') {
                length = n + 1;
                memmove(cells, cells + row * columns, columns);
            }
    printf("screen: ");
    for (unsigned n = 0; n < length; n++)
        putchar(cells[n] < ' ' || cells[n] > '~' ? ' ' : cells[n]);
    putchar('\n');
}

/* --- narrowing -------------------------------------------------------------------------------------------------------------- */
static int64_t ns_of(uint64_t instructions, const struct both *b) { return (int64_t)(instructions * b->m[0]->insn_ps / 1000); }

/* Both as they were after `steps` equal steps, the translator near its ends from now on. */
static struct both again(int64_t step, unsigned steps)
{
    struct both b = make();
    for (unsigned n = 1; n <= steps; n++)
        run(&b, n * step);
    bench_near(cpu_at(&b, 1), NEAR_NARROW);
    return b;
}

static void trace(int64_t step, unsigned steps, uint64_t until)
{
    struct both b = again(step, steps);
    struct machine *m = b.m[0];
    struct cpu *c = cpu_at(&b, 0);
    int64_t start = now(&b);
    uint64_t from = until > NEAR_NARROW + TRACE_BEFORE ? until - NEAR_NARROW - TRACE_BEFORE : 0;
    machine_run(m, start + ns_of(from, &b));
    printf("what the interpreter executes about there:\n");
    for (unsigned n = 0; n < TRACE_BEFORE + TRACE_AFTER; n++) {
        uint8_t bytes[15];
        char line[128] = "?";
        uint64_t physical;
        uint32_t linear = c->seg[CS].base + c->eip;
        for (unsigned k = 0; k < sizeof bytes; k++)
            bytes[k] = mmu_probe(c, linear + k, &physical) && physical < m->ram_size ? m->ram[physical] : 0xcc;
        insn_disassemble(bytes, sizeof bytes, bench_mode(c), c->eip, line, sizeof line);
        printf("  %04x:%08x  %s\n", c->seg[CS].selector, c->eip, line);
        c->engine->run(c, 1);
    }
    discard(&b);
}

static void narrow(int64_t step, unsigned steps)
{
    uint64_t low = 0, high = 0;
    struct both b = make();
    high = (uint64_t)step * 1000 / b.m[0]->insn_ps;
    discard(&b);
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        b = again(step, steps);
        run(&b, now(&b) + ns_of(middle, &b));
        bool equal = same(&b, false);
        discard(&b);
        *(equal ? &low : &high) = middle;
    }
    b = again(step, steps);
    printf("equal after %llu instructions; from there, %llu more make a difference (of which the last %u were interpreted):\n",
           (unsigned long long)cpu_at(&b, 0)->instructions, (unsigned long long)high, NEAR_NARROW);
    run(&b, now(&b) + ns_of(high, &b));
    same(&b, true);
    show_registers(&b);
    discard(&b);
    trace(step, steps, high);
}

/* --- the program --------------------------------------------------------------------------------------------------------------- */
static void parse(int argc, char **argv)
{
    const struct option options[] = {
        { "floppy", 1, NULL, 0 }, { "disk", 1, NULL, 1 }, { "kernel", 1, NULL, 2 }, { "initrd", 1, NULL, 3 }, { "append", 1, NULL, 4 },
        { "memory", 1, NULL, 5 }, { "model", 1, NULL, 6 }, { "seconds", 1, NULL, 7 }, { "step", 1, NULL, 8 }, { "icount", 1, NULL, 9 },
        { "press", 1, NULL, 10 }, { 0 },
    };
    const char **values[] = { &want.floppy, &want.disk, &want.kernel, &want.initrd, &want.append, &want.memory, &want.model, &want.seconds,
                              &want.step, &want.icount, &want.press };
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
        if (o >= (int)ARRAY_SIZE(values))
            die("usage", "lockstep [--floppy F] [--disk F] [--kernel F --initrd F --append S] [--memory SIZE] [--model M] [--seconds S] "
                "[--step MS] [--icount N] [--press MS:USAGE,...]");
        *values[o] = optarg;
    }
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    log_to(NULL);
    profile = profile_new();
    set("machine.memory", want.memory);
    set("machine.date", "1999-12-31T12:00:00");
    set("cpu.model", want.model);
    set("cpu.icount", want.icount);
    struct both b = make();
    int64_t step = atoll(want.step) * 1000000;
    unsigned steps = (unsigned)(atof(want.seconds) * 1e9 / (double)step);
    for (unsigned n = 1; n <= steps; n++) {
        bool on = run(&b, n * step);
        if (!same(&b, false)) {
            printf("lockstep: the machines differ after step %u, %.3f guest seconds:\n", n, (double)n * (double)step / 1e9);
            same(&b, true);
            show_registers(&b);
            discard(&b);
            narrow(step, n - 1);
            return 1;
        }
        if (!on)
            break;
    }
    uint64_t translated = translated_instructions(cpu_at(&b, 1));
    printf("lockstep: %.2f guest seconds, %llu instructions, %llu of them translated, the machines are equal\n", (double)now(&b) / 1e9,
           (unsigned long long)cpu_at(&b, 1)->instructions, (unsigned long long)translated);
    show_screen(&b);
    discard(&b);
    profile_free(profile);
    return translated ? 0 : 1;
}
