/* Runs single-step test captures (MOO files, plain or gzipped) from real chips against the interpreter:
 *     sst DIR|FILE... [--model M] [--verbose]
 * Each test gives registers and memory before and after one instruction and the HLT behind it. Undefined flags are left out as
 * metadata.json, or the RMSK and RM32 chunks, say. What a later CPU does otherwise than the captured one by design is in
 * differs_by_design(); such tests are counted apart, not passed.
 * Reference: [MOO] the Machine Opcode Operation file format, version 1.1. */
#include "tests/support/engine_bench.h"
#include "base/bits.h"
#include "engine/engine.h"
#include "x86/segment.h"
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <zlib.h>

enum { MEMORY = 16 << 20, REGISTERS = 20, RUN_TURNS = 20, RUN_BUDGET = 4096 };   /* a REP of FFFFh iterations comes to its end */

/* Our order of registers is that of RG32; REGS names 14 of them in another order. */
enum { R_CR0, R_CR3, R_EAX, R_EBX, R_ECX, R_EDX, R_ESI, R_EDI, R_EBP, R_ESP, R_CS, R_DS, R_ES, R_FS, R_GS, R_SS, R_EIP,
       R_EFLAGS, R_DR6, R_DR7 };
static const char *const register_names[REGISTERS] = { "cr0", "cr3", "eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp",
    "cs", "ds", "es", "fs", "gs", "ss", "eip", "eflags", "dr6", "dr7" };
static const uint8_t regs16[14] = { R_EAX, R_EBX, R_ECX, R_EDX, R_CS, R_SS, R_DS, R_ES, R_ESP, R_EBP, R_ESI, R_EDI, R_EIP,
                                    R_EFLAGS };

struct span { const uint8_t *bytes; size_t length; };
struct registers { uint32_t value[REGISTERS], present; };
struct capture {
    char name[128];
    struct span code;
    struct registers before, after;
    struct span ram_before, ram_after;          /* entries of u32 address, u8 byte */
    bool exception; uint8_t vector; uint32_t flags_at;
    uint32_t mask[REGISTERS];
};
struct rig { struct machine *machine; struct cpu *cpu; uint8_t *ram; int raised; };     /* raised: by the first instruction */
struct tally { unsigned passed, failed, apart; };
static bool verbose;

/* --- chunks --------------------------------------------------------------------------------------------------------- */

static bool chunk_next(struct span *in, char type[5], struct span *body)
{
    if (in->length < 8)
        return false;
    size_t n = le32_get(in->bytes + 4);
    memcpy(type, in->bytes, 4);
    type[4] = 0;
    if (n > in->length - 8)
        return false;
    *body = (struct span){ in->bytes + 8, n };
    in->bytes += 8 + n;
    in->length -= 8 + n;
    return true;
}

static void parse_registers(struct span s, bool wide, struct registers *r)
{
    size_t size = wide ? 4 : 2, at = size;
    uint32_t bits = s.length < size ? 0 : wide ? le32_get(s.bytes) : le16_get(s.bytes);
    for (unsigned i = 0; i < (wide ? REGISTERS : ARRAY_SIZE(regs16)); i++) {
        unsigned n = wide ? i : regs16[i];
        if (!(bits >> i & 1) || at + size > s.length)
            continue;
        r->value[n] = wide ? le32_get(s.bytes + at) : le16_get(s.bytes + at);
        r->present |= 1u << n;
        at += size;
    }
}

static void parse_masks(struct span s, bool wide, uint32_t mask[REGISTERS])
{
    struct registers r = { .present = 0 };
    parse_registers(s, wide, &r);
    for (unsigned i = 0; i < REGISTERS; i++)
        if (r.present >> i & 1)
            mask[i] &= wide ? r.value[i] : r.value[i] | 0xffff0000u;
}

static void parse_state(struct span s, struct registers *r, struct span *ram, uint32_t mask[REGISTERS])
{
    char type[5];
    struct span body;
    while (chunk_next(&s, type, &body)) {
        if (!strcmp(type, "REGS") || !strcmp(type, "RG32"))
            parse_registers(body, type[1] == 'G', r);
        else if (!strcmp(type, "RMSK") || !strcmp(type, "RM32"))
            parse_masks(body, type[2] == '3', mask);
        else if (!strcmp(type, "RAM ") && body.length >= 4)
            *ram = (struct span){ body.bytes + 4, MIN(body.length - 4, (size_t)le32_get(body.bytes) * 5) };
    }
}

static bool parse_test(struct span s, struct capture *c)
{
    char type[5];
    struct span body;
    if (s.length < 4)
        return false;
    s.bytes += 4;
    s.length -= 4;
    while (chunk_next(&s, type, &body)) {
        if (!strcmp(type, "NAME") && body.length >= 4)
            snprintf(c->name, sizeof(c->name), "%.*s", (int)MIN(body.length - 4, 100), (const char *)body.bytes + 4);
        else if (!strcmp(type, "BYTS") && body.length >= 4)
            c->code = (struct span){ body.bytes + 4, body.length - 4 };
        else if (!strcmp(type, "INIT"))
            parse_state(body, &c->before, &c->ram_before, c->mask);
        else if (!strcmp(type, "FINA"))
            parse_state(body, &c->after, &c->ram_after, c->mask);
        else if (!strcmp(type, "EXCP") && body.length >= 5) {
            c->exception = true;
            c->vector = body.bytes[0];
            c->flags_at = le32_get(body.bytes + 1);
        }
    }
    return c->before.present && c->code.length;
}

/* --- running -------------------------------------------------------------------------------------------------------- */

static bool rig_make(struct rig *r, const char *model, struct error *err)
{
    char options[64];
    r->machine = machine_new(NULL, false, err);
    r->ram = calloc(1, MEMORY);
    if (!r->machine || !r->ram)
        return false;
    space_map_ram(r->machine->memory, 0, MEMORY, r->ram, RAM_WRITABLE, 0);
    snprintf(options, sizeof(options), "model=%s", model);
    struct device *d = machine_add(r->machine, "cpu", "cpu0", options, err);
    if (!d)
        return false;
    r->cpu = cpu_of(d);
    r->machine->cpu_ops = &engine_cpu_ops;
    return bench_attach(r->cpu, 0, err);
}

static const struct { uint8_t reg, gpr; } general[] = { { R_EAX, EAX }, { R_EBX, EBX }, { R_ECX, ECX }, { R_EDX, EDX },
    { R_ESI, ESI }, { R_EDI, EDI }, { R_EBP, EBP }, { R_ESP, ESP } };
static const struct { uint8_t reg, seg; } segments[] = { { R_CS, CS }, { R_DS, DS }, { R_ES, ES }, { R_SS, SS }, { R_FS, FS },
    { R_GS, GS } };

static void load(struct rig *r, const struct capture *t)
{
    struct cpu *c = r->cpu;
    machine_reset(r->machine, RESET_POWER);
    machine_lock(r->machine);
    for (size_t i = 0; i + 5 <= t->ram_before.length; i += 5) {
        uint32_t at = le32_get(t->ram_before.bytes + i);
        if (at < MEMORY)
            space_copy_out(r->machine->memory, at, t->ram_before.bytes + i + 4, 1);
    }
    machine_unlock(r->machine);
    for (unsigned i = 0; i < ARRAY_SIZE(general); i++)
        c->gpr[general[i].gpr] = t->before.value[general[i].reg];
    for (unsigned i = 0; i < ARRAY_SIZE(segments); i++)
        segment_load_real(c, segments[i].seg, (uint16_t)t->before.value[segments[i].reg]);
    c->eip = t->before.value[R_EIP];
    cpu_set_flags(c, t->before.value[R_EFLAGS]);
    if (t->before.present >> R_DR7 & 1)
        c->dr[7] = t->before.value[R_DR7] & ~0xffu;     /* no breakpoints: captures were made without */
    segment_mode_changed(c);
    c->engine->push(c);
}

static void run(struct rig *r)
{
    r->cpu->raised.vector = -1;
    r->cpu->engine->run(r->cpu, 1);
    r->raised = r->cpu->raised.vector;
    for (unsigned i = 0; i < RUN_TURNS && !r->cpu->halted && !r->cpu->shutdown; i++)
        r->cpu->engine->run(r->cpu, RUN_BUDGET);
}

static void result(const struct cpu *c, uint32_t value[REGISTERS])
{
    for (unsigned i = 0; i < ARRAY_SIZE(general); i++)
        value[general[i].reg] = c->gpr[general[i].gpr];
    for (unsigned i = 0; i < ARRAY_SIZE(segments); i++)
        value[segments[i].reg] = c->seg[segments[i].seg].selector;
    value[R_EIP] = c->eip;
    value[R_EFLAGS] = cpu_flags(c);
    value[R_CR0] = c->cr0;
    value[R_CR3] = c->cr3;
    value[R_DR6] = c->dr[6];
    value[R_DR7] = c->dr[7];
}

/* Undefined flags that were pushed: by an exception (its FLAGS address), or by PUSHF, which the 286 stores with bits 12-15
 * clear. */
static uint8_t memory_mask(const struct capture *t, uint32_t at, bool pushes_flags, bool old)
{
    uint32_t flags = t->mask[R_EFLAGS] & (old ? 0x0fffu : 0xffffu);
    uint32_t ss = (t->after.present >> R_SS & 1 ? t->after : t->before).value[R_SS];
    uint32_t sp = (t->after.present >> R_ESP & 1 ? t->after : t->before).value[R_ESP];
    /* EXCP gives the word-aligned address: with the 286's registers we know better */
    uint32_t pushed = old && t->exception ? ss * 16 + ((sp + 4) & 0xffff) : t->flags_at;
    if (t->exception && at - pushed < 2)
        return (uint8_t)(flags >> (at - pushed) * 8);
    return pushes_flags && old && at == ss * 16 + ((sp + 1) & 0xffff) ? 0x0f : 0xff;
}

static bool compare(struct rig *r, const struct capture *t, bool old, char *why, size_t size)
{
    uint32_t got[REGISTERS] = { 0 };
    uint32_t compared = (1u << R_DR6) - 1 - (1u << R_CR0) - (1u << R_CR3);
    result(r->cpu, got);
    if (r->cpu->shutdown || !r->cpu->halted) {
        snprintf(why, size, r->cpu->shutdown ? "shut down" : "did not come to the HLT (eip %x)", r->cpu->eip);
        return false;
    }
    for (unsigned i = 0; i < REGISTERS; i++) {
        uint32_t want = (t->after.present >> i & 1 ? t->after : t->before).value[i];
        uint32_t mask = t->mask[i] & (old ? 0xffffu : i >= R_CS && i <= R_SS ? 0xffffu : ~0u);
        if (i == R_EFLAGS)
            mask &= old ? 0x0fd5u : 0x3ffd5u;
        if (!(compared >> i & 1) || !((t->before.present | t->after.present) >> i & 1) || !((want ^ got[i]) & mask))
            continue;
        snprintf(why, size, "%s is %x, captured %x (mask %x)", register_names[i], got[i], want, mask);
        return false;
    }
    bool pushes_flags = memchr(t->code.bytes, 0x9c, t->code.length) != NULL;
    for (size_t i = 0; i + 5 <= t->ram_after.length; i += 5) {
        uint32_t at = le32_get(t->ram_after.bytes + i);
        if (at >= MEMORY || !((r->ram[at] ^ t->ram_after.bytes[i + 4]) & memory_mask(t, at, pushes_flags, old)))
            continue;
        snprintf(why, size, "memory at %x is %02x, captured %02x", at, r->ram[at], t->ram_after.bytes[i + 4]);
        return false;
    }
    return true;
}

static void clear(struct rig *r, const struct capture *t)
{
    const struct span *lists[] = { &t->ram_before, &t->ram_after };
    for (unsigned l = 0; l < 2; l++)
        for (size_t i = 0; i + 5 <= lists[l]->length; i += 5)
            if (le32_get(lists[l]->bytes + i) < MEMORY)
                r->ram[le32_get(lists[l]->bytes + i)] = 0;
}

static bool is_prefix(uint8_t b)
{
    return b == 0x26 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0xf0 || b == 0xf2 || b == 0xf3;
}

/* What a 386 or later does otherwise than the 286 by design. NULL: nothing. */
static const char *differs_by_design(const struct capture *t, int raised)
{
    size_t p = 0;
    bool lock = false;
    while (p < t->code.length && is_prefix(t->code.bytes[p]))
        lock |= t->code.bytes[p++] == 0xf0;
    uint8_t op = p < t->code.length ? t->code.bytes[p] : 0, modrm = p + 1 < t->code.length ? t->code.bytes[p + 1] : 0;
    if (lock)
        return "LOCK: the 386 raises #UD where the 286 locks anything";
    if (t->code.length - 1 > 10 && t->exception && t->vector == EXC_GP)
        return "the 286 raises #GP above 10 bytes, the 386 above 15";
    if ((op == 0x8c || op == 0x8e) && t->exception && t->vector == EXC_UD && ((modrm >> 3 & 7) == 4 || (modrm >> 3 & 7) == 5))
        return "FS and GS came with the 386";
    if (t->exception && t->vector == EXC_GP && ((op >= 0x6c && op <= 0x6f) || (op >= 0xa4 && op <= 0xa7)))
        return "a string instruction that faults leaves the 286's SI, DI and CX stepped";
    if (t->exception && t->vector == EXC_GP && raised == EXC_SS)
        return "the 286 reports an overrun of the stack segment as 13, the 386 as 12";
    return NULL;
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

static struct span read_gz(const char *path)
{
    enum { STEP = 1 << 20 };
    struct span s = { NULL, 0 };
    size_t capacity = 0;
    gzFile f = gzopen(path, "rb");
    for (int n = 1; f && n > 0;) {
        if (s.length + STEP > capacity)
            s.bytes = realloc((void *)s.bytes, capacity = (s.length + STEP) * 2);
        n = gzread(f, (uint8_t *)s.bytes + s.length, STEP);
        s.length += n > 0 ? (size_t)n : 0;
    }
    if (f)
        gzclose(f);
    return s;
}

/* "F6.3.MOO.gz" -> metadata.opcodes.F6.reg.3.flags-mask */
static uint32_t metadata_mask(const json_t *metadata, const char *file)
{
    char opcode[8] = "", group[2] = "";
    sscanf(file, "%7[0-9A-Fa-f].%1[0-7]", opcode, group);
    const json_t *o = json_object_get(json_object_get(metadata, "opcodes"), opcode);
    if (group[0])
        o = json_object_get(json_object_get(o, "reg"), group);
    const json_t *mask = json_object_get(o, "flags-mask");
    return mask ? (uint32_t)json_integer_value(mask) | 0xffff0000u : ~0u;
}

static void run_test(struct rig *r, struct capture *t, const char *file, bool old, struct tally *all)
{
    char why[200];
    load(r, t);
    run(r);
    const char *design = old ? differs_by_design(t, r->raised) : NULL;
    if (compare(r, t, old, why, sizeof(why))) {
        all->passed++;
    } else if (design) {
        all->apart++;
    } else {
        all->failed++;
        if (all->failed <= 20 || verbose)
            printf("%s: %s: %s\n", file, t->name, why);
    }
    clear(r, t);
}

static void run_file(struct rig *r, const char *path, const json_t *metadata, struct tally *all)
{
    struct span whole = read_gz(path), rest = whole, body;
    const char *file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    uint32_t file_mask[REGISTERS];
    bool old = true;                            /* 16-bit registers: an 8086 .. 286 */
    char type[5];

    memset(file_mask, 0xff, sizeof(file_mask));
    file_mask[R_EFLAGS] = metadata_mask(metadata, file);
    while (chunk_next(&rest, type, &body)) {
        struct capture t = { .exception = false };
        if (!strcmp(type, "MOO ") && body.length >= 12)
            old = memcmp(body.bytes + 8, "386", 3) && memcmp(body.bytes + 8, "C386", 4);
        else if (!strcmp(type, "RMSK") || !strcmp(type, "RM32"))
            parse_masks(body, type[2] == '3', file_mask);
        if (strcmp(type, "TEST"))
            continue;
        memcpy(t.mask, file_mask, sizeof(file_mask));
        if (parse_test(body, &t))
            run_test(r, &t, file, old, all);
    }
    free((void *)whole.bytes);
}

static int is_moo(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return (n > 4 && !strcmp(d->d_name + n - 4, ".MOO")) || (n > 7 && !strcmp(d->d_name + n - 7, ".MOO.gz"));
}

static unsigned run_path(struct rig *r, const char *path, struct tally *all)
{
    struct dirent **list;
    struct stat st;
    char name[4096];
    if (!stat(path, &st) && S_ISREG(st.st_mode)) {
        run_file(r, path, NULL, all);
        return 1;
    }
    int n = scandir(path, &list, is_moo, alphasort);
    snprintf(name, sizeof(name), "%s/metadata.json", path);
    json_t *metadata = json_load_file(name, 0, NULL);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "%s/%s", path, list[i]->d_name);
        run_file(r, name, metadata, all);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    json_decref(metadata);
    return n > 0 ? (unsigned)n : 0;
}

int main(int argc, char **argv)
{
    struct rig r = { .cpu = NULL };
    struct tally all = { 0, 0, 0 };
    struct error err;
    const char *model = "386";
    unsigned files = 0;

    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--model") && i + 1 < argc)
            model = argv[++i];
        else if (!strcmp(argv[i], "--verbose"))
            verbose = true;
    if (!rig_make(&r, model, &err)) {
        fprintf(stderr, "sst: %s\n", err.text);
        return 1;
    }
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--model"))
            i++;
        else if (strcmp(argv[i], "--verbose"))
            files += run_path(&r, argv[i], &all);
    printf("sst: %u files, %u passed, %u failed, %u differ from the captured chip by design\n", files, all.passed, all.failed,
           all.apart);
    bench_detach(r.cpu);
    machine_free(r.machine);
    free(r.ram);
    return all.failed || !all.passed;
}
