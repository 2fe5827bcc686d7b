/* What the translator emits for common code (golden.asm) is kept in golden.txt, so that a review sees it change: the host instructions that
 * are executed when everything is as usual, disassembled by objdump, and how many there are beside the guest's. A change that was meant is
 * taken over by `make golden`.
 *
 * Left out: what differs from run to run. Addresses are <site>, <link> ..., fields of struct cpu have their names, jumps to shared routines
 * and to what is out of the way too. */
#include "tests/support/cpu_bench.h"
#include "tests/support/snippets.h"
#include "engine/translator/translate.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RAM = 1 << 18, HOST_INSNS = 4096, TEXT = 1 << 20, KIND_PLAIN = 16 };
static const char golden_file[] = "tests/engine/golden.txt";

struct host_insn { unsigned at, length; uint8_t bytes[16]; char text[80]; };
struct listing { char *text; size_t used; };
static struct cpu_bench *bench;
static struct host_insn host[HOST_INSNS];
static unsigned host_count;

static void setup(void)
{
    struct error err = { 0 };
    bench = cpu_bench_new("pentium4", RAM);
    bench->cpu->engine->detach(bench->cpu);
    cr_assert(translator_engine.attach(bench->cpu, &err), "%s", err.text);
    translator_of(bench->cpu)->bias = 59;       /* nothing is executed: displacements shall not depend on where struct cpu is */
}

static void teardown(void) { cpu_bench_free(bench); }
TestSuite(golden, .init = setup, .fini = teardown);

__attribute__((format(printf, 2, 3))) static void say(struct listing *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    l->used += (size_t)vsnprintf(l->text + l->used, TEXT - l->used, format, args);
    va_end(args);
    cr_assert_lt(l->used, TEXT);
}

/* --- translating ------------------------------------------------------------------------------------------------------- */
static void set_mode(unsigned mode)
{
    struct cpu *c = bench->cpu;
    if (mode == 1)
        cpu_bench_real(bench);
    else
        cpu_bench_flat(bench);
    if (mode == 2) {
        c->seg[DS].base = 0x1234;
        c->seg[ES].base = 0x1234;
        c->seg[ES].limit = 0x12345;
        segment_mode_changed(c);
    }
}

/* The code, then a jump to what follows it. */
static struct translation *make(const struct snippet *s, bool plain, size_t *size, unsigned *guest)
{
    static const uint8_t on[] = { 0xeb, 0x00 };
    struct translator *tr = translator_of(bench->cpu);
    set_mode(s->kind & 15);
    cpu_bench_load(bench, CPU_BENCH_CODE, s->code, s->length);
    cpu_bench_load(bench, CPU_BENCH_CODE + (uint32_t)s->length, on, sizeof on);
    blocks_service(bench->cpu);                 /* sees what was loaded */
    code_cache_drop(tr);
    tr->plain = plain;
    unsigned mode = mode_now(bench->cpu);
    struct block *b = blocks_find(bench->cpu, mode);
    cr_assert_not_null(context_now(tr, mode));
    uint64_t before = tr->count.block_bytes;
    struct translation *t = translate(tr, b, CPU_BENCH_CODE);
    *size = (size_t)(tr->count.block_bytes - before);
    *guest = b->count - (b->bytes > s->length);
    return t;
}

/* --- disassembling ------------------------------------------------------------------------------------------------------ */
static void parse_line(const char *line)
{
    struct host_insn *i = &host[host_count];
    char *end;
    unsigned long at = strtoul(line, &end, 16);
    if (line[0] != ' ' || *end != ':' || host_count == HOST_INSNS)
        return;
    *i = (struct host_insn){ .at = (unsigned)at };
    for (end++; i->length < 15; i->length++) {
        while (*end == ' ' || *end == '\t')
            end++;
        if (!strchr("0123456789abcdef", end[0]) || !strchr("0123456789abcdef", end[1]) || end[2] != ' ')
            break;
        i->bytes[i->length] = (uint8_t)strtoul(end, &end, 16);
    }
    size_t used = 0;
    for (; *end && *end != '\n' && *end != '#' && used < sizeof i->text - 1; end++)     /* one blank for many */
        if (!strchr(" \t", *end) || (used && i->text[used - 1] != ' '))
            i->text[used++] = *end == '\t' ? ' ' : *end;
    while (used && i->text[used - 1] == ' ')
        used--;
    i->text[used] = 0;
    host_count++;
}

static void disassemble(const uint8_t *code, size_t size)
{
    char path[] = "/tmp/holdover-golden-XXXXXX", command[128], line[256];
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, code, size) == (ssize_t)size);
    close(fd);
    snprintf(command, sizeof command, "LC_ALL=C objdump -D -b binary -m i386:x86-64 -w %s", path);
    FILE *f = popen(command, "r");
    cr_assert_not_null(f);
    host_count = 0;
    while (fgets(line, sizeof line, f))
        parse_line(line);
    cr_assert_eq(pclose(f), 0);
    unlink(path);
    cr_assert_gt(host_count, 0);
    cr_assert_eq(host[host_count - 1].at + host[host_count - 1].length, size);
}

/* --- names ------------------------------------------------------------------------------------------------------------------ */
static void field_name(int32_t displacement, char *name, size_t size)
{
    struct translator *tr = translator_of(bench->cpu);
    size_t offset = (size_t)(displacement + (int32_t)tr->bias);
    const struct { const char *name; size_t offset; } fields[] = {
        { "eip", offsetof(struct cpu, eip) }, { "arith", offsetof(struct cpu, arith) }, { "fpu_live", offsetof(struct cpu, fpu_live) }, { "sse_live", offsetof(struct cpu, sse_live) },
        { "fpu_record", offsetof(struct cpu, fpu_record) }, { "fpu_operand", offsetof(struct cpu, fpu_operand) },
        { "fpu_address", offsetof(struct cpu, fpu_address) }, { "pending", offsetof(struct cpu, pending) },
        { "eflags", offsetof(struct cpu, eflags) }, { "cpl", offsetof(struct cpu, cpl) },
    };
    static const char *const segments[] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };
    snprintf(name, size, "cpu");                /* what has no name here */
    for (unsigned n = 0; n < ARRAY_SIZE(fields); n++)
        if (offset == fields[n].offset)
            snprintf(name, size, "%s", fields[n].name);
    if (offset >= offsetof(struct cpu, seg) && offset < offsetof(struct cpu, seg) + sizeof bench->cpu->seg) {
        size_t in = offset - offsetof(struct cpu, seg), n = in / sizeof(struct segment);
        in %= sizeof(struct segment);
        snprintf(name, size, "%s.%s", segments[n], in == offsetof(struct segment, base) ? "base" : in == offsetof(struct segment, selector)
                 ? "selector" : in == offsetof(struct segment, read_limit) ? "read_limit" : "write_limit");
    }
}

static const char *routine_name(const uint8_t *at)
{
    const struct routines *r = &translator_of(bench->cpu)->routine;
    const struct { const char *name; const uint8_t *at; } all[] = {
        { "leave", r->leave }, { "leave_link", r->leave_link }, { "miss", r->miss }, { "read", r->read }, { "check_write", r->check_write },
        { "write", r->write }, { "call", r->call }, { "fpu", r->fpu }, { "end", r->end }, { "sse", r->sse }, { "next", r->next },
    };
    for (unsigned n = 0; n < ARRAY_SIZE(all); n++)
        if (at == all[n].at)
            return all[n].name;
    return "routine";
}

/* Where a relative branch leads, as an offset in the block; false: it is none. */
static bool branch_target(const struct host_insn *i, int32_t *target)
{
    const uint8_t *b = i->bytes;
    unsigned skip = b[0] == 0x67 || b[0] == 0x2e || b[0] == 0x3e;
    bool near = b[skip] == 0xe8 || b[skip] == 0xe9 || (b[skip] == 0x0f && (b[skip + 1] & 0xf0) == 0x80);
    bool close = b[skip] == 0xeb || (b[skip] & 0xf0) == 0x70 || (b[skip] & 0xfc) == 0xe0;
    if (!near && !close)
        return false;
    *target = (int32_t)(i->at + i->length) + (near ? (int32_t)le32_get(b + i->length - 4) : (int8_t)b[i->length - 1]);
    return true;
}

static bool is_jump(const struct host_insn *i) { return i->bytes[0] == 0xe9 || i->bytes[0] == 0xeb; }

static struct host_insn *insn_at(int32_t at)
{
    for (unsigned n = 0; n < host_count; n++)
        if ((int32_t)host[n].at == at)
            return &host[n];
    return NULL;
}

/* --- the listing --------------------------------------------------------------------------------------------------------------- */
/* One line, with what changes from run to run replaced. Offsets above path_end, and islands, are out of the way. */
static void say_insn(struct listing *l, const struct translation *t, const struct host_insn *i, int32_t path_end)
{
    char text[128], name[40];
    const char *r13 = strstr(i->text, "(%r13)"), *pointer = strstr(i->text, "movabs $"),
        *table = strstr(i->text, "mov 0x4") == i->text && strcspn(i->text, "(,") == strlen("mov 0x40000000") ? strpbrk(i->text, "(,") : NULL;
    int32_t target;
    snprintf(text, sizeof text, "%s", i->text);
    if (branch_target(i, &target)) {
        int word = (int)strcspn(i->text, " ");
        if (target < 0 || !insn_at(target))
            snprintf(text, sizeof text, "%.*s <%s>", word, i->text, routine_name(t->landing + target));
        else if (target == t->entry - t->landing || target == t->poll - t->landing)
            snprintf(text, sizeof text, "%.*s <%s>", word, i->text, target == t->entry - t->landing ? "entry" : "poll");
        else if (target >= path_end || insn_at(target)->bytes[0] == 0xe9)
            snprintf(text, sizeof text, "%.*s <out of the way>", word, i->text);
        else
            snprintf(text, sizeof text, "%.*s +%d", word, i->text, target - (int32_t)(i->at + i->length));
    } else if (pointer) {
        snprintf(text, sizeof text, "movabs $<pointer>,%s", strchr(pointer, ',') + 1);
    } else if (table) {
        snprintf(text, sizeof text, "mov <landings>%s", table);
    } else if (r13) {
        const char *from = r13;
        while (from > i->text && !strchr(" ,", from[-1]))
            from--;
        field_name((int32_t)strtol(from, NULL, 16), name, sizeof name);
        bool immediate = strstr(i->text, "movl $0x") == i->text;        /* records are numbered as they come */
        if (immediate)
            snprintf(text, sizeof text, "movl $<record>,<%s>", name);
        else
            snprintf(text, sizeof text, "%.*s<%s>%s", (int)(from - i->text), i->text, name, r13 + strlen("(%r13)"));
    }
    say(l, "    %2u  %s\n", i->length, text);
}

/* Follows the code from its entry as it is executed when no branch is taken: over islands, to where it leaves the block. */
static void say_path(struct listing *l, const struct translation *t, unsigned guest, size_t size)
{
    const struct host_insn *path[HOST_INSNS];
    unsigned n = 0, bytes = 0;
    int32_t target, end = 0;
    for (struct host_insn *i = insn_at((int32_t)(t->entry - t->landing)); i && n < HOST_INSNS;) {
        bool jump = is_jump(i) && branch_target(i, &target);
        if (jump && i->bytes[0] == 0xeb && target > (int32_t)i->at && target <= (int32_t)i->at + 128) {
            path[n++] = i;
            bytes += i->length;
            i = insn_at(target);
            continue;
        }
        path[n++] = i;
        bytes += i->length;
        end = (int32_t)(i->at + i->length);
        i = jump || strstr(i->text, "jmp *") || strstr(i->text, "<end>") ? NULL : insn_at(end);
        if (path[n - 1]->bytes[0] == 0xe8 && branch_target(path[n - 1], &target) && t->landing + target == translator_of(bench->cpu)->routine.end)
            break;
    }
    say(l, "    guest %u; host %u of %u instructions, %u of %zu bytes\n", guest, n, host_count, bytes, size);
    for (unsigned k = 0; k < n; k++)
        say_insn(l, t, path[k], end);
}

static void say_guest(struct listing *l, const struct snippet *s)
{
    char line[128];
    unsigned mode = mode_now(bench->cpu);
    for (size_t at = 0, n; at < s->length; at += n) {
        n = insn_disassemble(s->code + at, s->length - at, mode, CPU_BENCH_CODE + (uint32_t)at, line, sizeof line);
        cr_assert_gt(n, 0);
        say(l, "    %s\n", line);
    }
}

static void say_case(struct listing *l, const struct snippet *s, bool plain)
{
    size_t size;
    unsigned guest;
    struct translation *t = make(s, plain, &size, &guest);
    say(l, "\n%s%s:\n", s->name, plain ? " (no BMI2)" : "");
    if (!plain)
        say_guest(l, s);
    if (!t) {
        say(l, "    not translated\n");
        return;
    }
    disassemble(t->landing, size);
    say_path(l, t, guest, size);
}

/* --- comparing ------------------------------------------------------------------------------------------------------------------ */
static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, TEXT);
    cr_assert_not_null(f, "no file %s here; run the tests from the top of the tree, make it with 'make golden'", path);
    size_t ignored = fread(text, 1, TEXT - 1, f);
    (void)ignored;
    fclose(f);
    return text;
}

static void write_file(const char *path, const struct listing *l)
{
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f, "cannot write %s", path);
    cr_assert(fwrite(l->text, 1, l->used, f) == l->used && fclose(f) == 0);
}

/* The difference as `diff -u` shows it, with the name of the function of each case. */
static void show_difference(const struct listing *l)
{
    char path[] = "/tmp/holdover-golden-XXXXXX", command[256], line[256];
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
    write_file(path, l);
    snprintf(command, sizeof command, "diff -u -F '^[^ ]' %s %s | head -n 80", golden_file, path);
    FILE *f = popen(command, "r");
    while (f && fgets(line, sizeof line, f))
        fputs(line, stderr);
    if (f)
        pclose(f);
    unlink(path);
}

Test(golden, code_is_as_it_was)
{
    struct snippets table = snippets_load("golden");
    struct listing l = { calloc(1, TEXT), 0 };
    const char *write = getenv("HOLDOVER_GOLDEN");
    say(&l, "What the translator emits, as 'make golden' writes it; see test_golden.c. The first number of a line is the length in bytes.\n");
    for (size_t n = 0; n < table.count; n++)
        for (unsigned plain = 0; plain <= (table.all[n].kind & KIND_PLAIN ? 1 : 0); plain++)
            say_case(&l, &table.all[n], plain);
    snippets_free(&table);
    if (write) {
        write_file(write, &l);
    } else {
        char *was = read_file(golden_file);
        bool same = !strcmp(was, l.text);
        if (!same)
            show_difference(&l);
        free(was);
        cr_assert(same, "the emitted code differs from %s; when it was meant to, take it over with 'make golden' and commit it", golden_file);
    }
    free(l.text);
}
