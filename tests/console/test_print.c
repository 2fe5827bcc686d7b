/* The printer: where jobs end, what they are, and what ESC/P puts on paper. PDFs are looked at by their own structure: content
 * streams are inflated; the guest cases let pdftotext judge. */
#include "console/ports.h"
#include "console/print.h"
#include "tests/support/bench.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

static char *whole;                             /* all streams of the last PDF, inflated, one after the other */
static size_t whole_length, pages;

static void inflate_streams(const char *pdf, size_t length)
{
    whole = realloc(whole, 64 << 20);
    whole_length = pages = 0;
    cr_assert(!memcmp(pdf, "%PDF-1.4\n", 9) && !memcmp(pdf + length - 6, "%%EOF\n", 6));
    for (const char *p = pdf; (p = memmem(p, (size_t)(pdf + length - p), "/Type /Page ", 12)); p++)
        pages++;
    for (const char *p = pdf; (p = memmem(p, (size_t)(pdf + length - p), "\nstream\n", 8)); p++) {
        uLongf got = (64 << 20) - whole_length - 1;
        const char *size = memrchr(pdf, '/', (size_t)(p - pdf));
        cr_assert_eq(uncompress((Bytef *)whole + whole_length, &got, (const Bytef *)p + 8, (uLong)atol(size + 7)), Z_OK);
        whole_length += got;
    }
    whole[whole_length] = 0;
}

static void print(const char *job, size_t length)
{
    char *pdf;
    size_t size;
    FILE *out = open_memstream(&pdf, &size);
    cr_assert(print_escp((const uint8_t *)job, length, out));
    fclose(out);
    inflate_streams(pdf, size);
    free(pdf);
}
#define PRINT(text) print(text, sizeof(text) - 1)
#define SHOWS(text) cr_assert(memmem(whole, whole_length, text, strlen(text)), "no %s in:\n%s", text, whole)

Test(escp, lines_pages_and_tabs)
{
    PRINT("one\r\n\ttwo\r\n\fthree");
    cr_assert_eq(pages, 2);
    SHOWS("/F0 12.00 Tf 100.00 Tz 18.00 -9.00 Td (one) Tj");
    SHOWS("75.60 -21.00 Td (two) Tj");
    SHOWS("18.00 -9.00 Td (three) Tj");
    PRINT("unix\ntext\n");
    SHOWS("18.00 -21.00 Td (text) Tj");
    PRINT("a\x1b" "D\x05\x0a\0\tb\tc\r");
    SHOWS("54.00 -9.00 Td (b)");
    SHOWS("90.00 -9.00 Td (c)");
}

Test(escp, styles_and_pitches)
{
    PRINT("\x1b@\x1b" "Ebold\x1b" "F\x1b" "4it\x1b" "5\x1b-1under\x1b-0\x1bMelite\x1bP\x0fsmall\x12\x0ewide\r\n");
    SHOWS("/F1 12.00 Tf 100.00 Tz 18.00 -9.00 Td (bold)");
    SHOWS("/F2 12.00 Tf 100.00 Tz 46.80 -9.00 Td (it)");
    SHOWS("Td (under)");
    SHOWS("61.20 -11.10 36.00 0.60 re f");
    SHOWS("/F0 10.00 Tf 100.00 Tz 97.20 -9.00 Td (elite)");
    SHOWS("/F0 9.00 Tf 77.78 Tz 127.20 -9.00 Td (small)");
    SHOWS("200.00 Tz 148.20 -9.00 Td (wide)");
    PRINT("\x1b!\x98(x)\\");
    SHOWS("/F1 12.00 Tf 100.00 Tz 18.00 -9.00 Td (\\(x\\)\\\\)");
}

Test(escp, spacing_margins_and_form)
{
    PRINT("\x1b" "0a\r\n\x1b" "3\x24" "b\r\n\x1b" "A\x08" "c\r\n\x1b" "2d\r");
    SHOWS("-18.00 Td (b)");
    SHOWS("-30.00 Td (c)");
    SHOWS("-38.00 Td (d)");
    PRINT("\x1bl\x05\x1bQ\x0a" "abcdefgh");
    SHOWS("54.00 -9.00 Td (abcde)");
    SHOWS("54.00 -21.00 Td (fgh)");
    PRINT("\x1b" "C\x03" "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7");
    cr_assert_eq(pages, 2, "three lines are less than the shortest form: an inch");
    PRINT("\x1b" "C\0\x02" "x\fy");
    cr_assert_eq(pages, 2);
    SHOWS("1 0 0 1 0 144.00 cm");
}

Test(escp, code_pages_and_frames)
{
    PRINT("\x81\x84\xe1 \xe3 \xda\xc4\xbf\r");
    SHOWS("(\xfc\xe4\xdf )");
    SHOWS("/F4 12.00 Tf 100.00 Tz 46.80 -9.00 Td (p)");
    SHOWS(" re f");
    PRINT("\x1b(t\x03\0\x01\x03\0\xd0\xb5\r");
    SHOWS("(\xf0\xc1)");
    PRINT("\x1bR\x02[\\]\r");
    SHOWS("(\xc4\xd6\xdc)");
}

Test(escp, dots)
{
    PRINT("\x1bK\x02\0\x80\x01\r\n");
    cr_assert_eq(whole[0] & 0xff, 0xff, "twelve dots of 1/720 inch, the upper pin");
    cr_assert_eq(whole[1] & 0xff, 0xf0);
    SHOWS("q 2.400 0 0 8.000 18.000 -8.000 cm");
    PRINT("\x1b*\x27\x02\0\x80\0\0\0\0\x01\r\n");
    SHOWS("q 0.800 0 0 9.600 18.000 -9.600 cm");
    PRINT("\x1b.\x01\x0a\x0a\x02\x10\0\xff\xff\x01\x80\x01");
    SHOWS("q 3.200 0 0 0.400 18.000 -0.400 cm");
}

Test(escp, hostile_jobs_are_bounded)
{
    static char job[4 << 20];
    memset(job, '\f', sizeof(job));
    print(job, sizeof(job));
    cr_assert_eq(pages, 2000);
    for (size_t i = 0; i < sizeof(job); i++)
        job[i] = i & 1 ? '\r' : 'x';            /* the same place over and over */
    print(job, sizeof(job));
    cr_assert_eq(pages, 1);
    cr_assert(whole_length < 5 << 20);
    static const char *const cut[] = { "\x1b", "\x1b*", "\x1b*\x27\xff", "\x1b.", "\x1b.\1\1\1\1\1", "\x1b(", "\x1b(t\xff\xff", "\x1b" "C", "\x1b" "D\1",
                                       "\x1b&\0\1", "\x1bK\xff\xff\xff" };
    for (size_t i = 0; i < ARRAY_SIZE(cut); i++)
        print(cut[i], strlen(cut[i]));
}

static unsigned ends_of(const char *job, size_t length)
{
    struct print_ends e = { 0 };
    unsigned ends = 0;
    for (size_t i = 0; i < length; i++) {
        enum print_end end = print_ends(&e, (uint8_t)job[i]);
        ends += end != PRINT_GOES_ON;
        if (end != PRINT_GOES_ON)
            e = (struct print_ends){ 0 };
    }
    return ends;
}
#define ENDS(text) ends_of(text, sizeof(text) - 1)

Test(printer, ends_of_jobs)
{
    cr_assert_eq(ENDS("plain\r\n\f"), 0, "time tells");
    cr_assert_eq(ENDS("\x1b@text\r\n\x1b@more\f"), 0, "in the middle of a page it is no end");
    cr_assert_eq(ENDS("\x1b@text\f\r\x1b@more"), 1);
    cr_assert_eq(ENDS("\x1b%-12345X@PJL JOB\r\n%!PS\nshowpage\n\x04\x1b%-12345X"), 1, "Ctrl-D ends it, the rest is an empty one");
    cr_assert_eq(ENDS("\x1b%-12345X@PJL ENTER LANGUAGE=PCL\r\n\x1b" "Ehello\x1b" "E\x1b%-12345X"), 1);
    cr_assert_eq(ENDS("a 4 \x04 no PostScript"), 0);
}

Test(printer, languages)
{
#define IS(text) print_detect((const uint8_t *)(text), sizeof(text) - 1)
    cr_assert_eq(IS("hello"), PRINT_TEXT);
    cr_assert_eq(IS("%!PS-Adobe\n"), PRINT_POSTSCRIPT);
    cr_assert_eq(IS("\x1b%-12345X@PJL ENTER LANGUAGE=POSTSCRIPT\r\n%!PS"), PRINT_POSTSCRIPT);
    cr_assert_eq(IS("100%! sure"), PRINT_TEXT);
    cr_assert_eq(IS("\x1b" "E\x1b&l0O\x1b(s10Hhello"), PRINT_PCL);
    cr_assert_eq(IS("\x1b@\x1b*\x05\x10\0"), PRINT_TEXT);
    cr_assert_eq(IS("\x1b" "Ebold\x1b" "F"), PRINT_TEXT, "ESC E is bold, too");
}

/* --- the whole way --------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/holdover-print-XXXXXX";
static struct parallel_end *plug(void *ui, struct machine *m, unsigned port, const char *to, struct error *err)
{
    (void)ui;
    return port_parallel(m, port, to, err);
}
static const struct host host = { .parallel = plug };

static unsigned files(const char *extension, char *path)
{
    DIR *d = opendir(folder);
    unsigned n = 0;
    for (struct dirent *e; (e = readdir(d));)
        if (strlen(e->d_name) > 4 && !strcmp(strrchr(e->d_name, '.'), extension)) {
            n++;
            snprintf(path, 256, "%s/%.200s", folder, e->d_name);
        }
    closedir(d);
    return n;
}

static void out_text(struct bench *b, const char *text)
{
    for (; *text; text++) {
        bench_out8(b, 0x378, (uint8_t)*text);
        bench_out8(b, 0x37a, 0x0d);
        bench_out8(b, 0x37a, 0x0c);
        while (!(bench_in8(b, 0x379) & 0x80))
            bench_step(b, 1000000);
    }
}

Test(printer, jobs_become_files, .timeout = 120)
{
    char options[64], path[256], text[256];
    cr_assert(mkdtemp(folder));
    snprintf(options, sizeof(options), "to=pdf:%s", folder);
    struct bench *b = bench_new_host(&host);
    bench_add(b, "pc87332_lpt", "parallel1", options);
    bench_reset(b);
    out_text(b, "first\r\n");
    bench_step(b, 5 * NS_PER_S);
    out_text(b, "still the first\f");
    bench_step(b, NS_PER_S);
    out_text(b, "\x1b@second\r\n");
    bench_step(b, 11 * NS_PER_S);
    out_text(b, "%!PS\n/Courier findfont 12 scalefont setfont 72 72 moveto (third) show showpage\n\x04");
    out_text(b, "\x1b" "E\x1b&l0O\x1b(s10Hfourth\f");
    bench_step(b, 3 * NS_PER_S);                /* a form feed was the last */
    out_text(b, "%!PS a job that never ends\n{} loop\n\x04");
    bench_free(b);                              /* waits for the work to be done, but not for ever */
    bool gs = !system("command -v gs >/dev/null"), pcl = !system("command -v gpcl6 >/dev/null");
    cr_assert_eq(files(".pdf", path), 2u + gs + pcl);
    cr_assert_eq(files(".ps", path), 1, "kept");
    cr_assert_eq(files(".pcl", path), pcl ? 0 : 1);
    if (!pcl) {
        FILE *f = fopen(path, "r");
        size_t n = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
        cr_assert(n > 10 && !memcmp(text, "\x1b" "E\x1b&l0O", 6), "as it came");
    }
    snprintf(path, sizeof(path), "rm -r %s", folder);
    cr_assert_eq(system(path), 0);
}
