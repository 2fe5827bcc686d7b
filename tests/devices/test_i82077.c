/* The 82077AA with drives and media, section by section of its data sheet. */
#include "devices/dma.h"
#include "devices/i82077.h"
#include "tests/support/bench.h"
#include <criterion/criterion.h>
#include <errno.h>

enum { DOR = 0x3f2, TDR = 0x3f3, MSR = 0x3f4, DATA = 0x3f5, DIR = 0x3f7, IRQ = 6, RATE_500 = 0, RATE_250 = 2 };

/* A DMA channel of the test: `left` bytes of memory until terminal count. */
struct fake_dma { struct dma_channel channel; uint8_t memory[65536]; size_t at, left; bool masked; };
struct fdc { struct bench *b; struct device *dev; struct block *medium; struct fake_dma dma; uint8_t result[10]; };

static size_t fake_move(struct fake_dma *d, void *to, const void *from, size_t length, bool *tc)
{
    size_t n = d->masked ? 0 : MIN(length, d->left);
    if (to)
        memcpy(to, d->memory + d->at, n);
    else if (from)
        memcpy(d->memory + d->at, from, n);
    d->at += n;
    d->left -= n;
    *tc = n && !d->left;
    return n;
}

static size_t fake_to_memory(struct dma_channel *c, const void *from, size_t length, bool *tc)
{
    return fake_move(c->chip, NULL, from, length, tc);
}

static size_t fake_from_memory(struct dma_channel *c, void *to, size_t length, bool *tc)
{
    return fake_move(c->chip, to, NULL, length, tc);
}

static struct block *medium_new(unsigned kib)
{
    struct error err;
    struct block *medium = block_open_memory(kib * 1024ull, &err);
    cr_assert(medium, "%s", err.text);
    for (unsigned n = 0; n < kib * 2; n++) {    /* each sector begins with its number */
        uint8_t sector[512];
        memset(sector, (int)n, sizeof(sector));
        le16_put(sector, (uint16_t)n);
        cr_assert(!block_write(medium, n * 512ull, sector, sizeof(sector)));
    }
    return medium;
}

static bool irq(struct fdc *f) { return bench_irq(f->b, IRQ); }

static void insert(struct fdc *f, struct block *medium)
{
    struct error err;
    cr_assert(f->dev->class->media(f->dev, 0, medium, &err), "%s", err.text);
    block_close(f->medium);
    f->medium = medium;
}

static void command(struct fdc *f, const uint8_t *bytes, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        cr_assert_eq(bench_in8(f->b, MSR) & 0xc0, 0x80, "byte %u of %02x: MSR %02x", n, bytes[0], bench_in8(f->b, MSR));
        bench_out8(f->b, DATA, bytes[n]);
    }
}
#define COMMAND(f, ...) command((f), (uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

static unsigned results(struct fdc *f)
{
    unsigned count = 0;
    while ((bench_in8(f->b, MSR) & 0xd0) == 0xd0 && count < 10)
        f->result[count++] = bench_in8(f->b, DATA);
    cr_expect_eq(bench_in8(f->b, MSR), 0x80);
    return count;
}

/* Steps until the interrupt, for at most two seconds. */
static bool wait_irq(struct fdc *f)
{
    for (unsigned n = 0; n < 20000 && !irq(f); n++)
        bench_step(f->b, 100000);
    return irq(f);
}

static void expect_result(struct fdc *f, uint8_t st0, uint8_t st1, uint8_t st2, uint8_t c, uint8_t h, uint8_t r, uint8_t n)
{
    const uint8_t want[7] = { st0, st1, st2, c, h, r, n };
    cr_expect(wait_irq(f), "no interrupt; MSR %02x", bench_in8(f->b, MSR));
    cr_expect_eq(results(f), 7);
    cr_expect(!irq(f));
    cr_expect_arr_eq(f->result, want, 7, "%02x %02x %02x, %u %u %u %u", f->result[0], f->result[1], f->result[2],
                     f->result[3], f->result[4], f->result[5], f->result[6]);
}

static void reset_controller(struct fdc *f)
{
    bench_out8(f->b, DOR, 0);
    bench_out8(f->b, DOR, 0x1c);                /* motor 0, DMA and interrupts, out of reset */
    cr_assert(wait_irq(f));
    for (unsigned n = 0; n < 4; n++) {
        COMMAND(f, 0x08);
        results(f);
    }
}

static struct fdc *fdc_new(const char *options, unsigned kib)
{
    struct fdc *f = calloc(1, sizeof(*f));
    f->b = bench_new();
    f->dev = bench_add(f->b, "i82077", "fdc", options);
    bench_capture(f->b, "fdc", "irq", IRQ);
    f->dma.channel = (struct dma_channel){ .chip = &f->dma, .to_memory = fake_to_memory, .from_memory = fake_from_memory };
    i82077_connect_dma(f->dev, &f->dma.channel);
    bench_reset(f->b);
    if (kib)
        insert(f, medium_new(kib));
    reset_controller(f);
    bench_out8(f->b, DIR, RATE_500);
    COMMAND(f, 0x03, 0xaf, 0x02);
    return f;
}

static void fdc_free(struct fdc *f)
{
    bench_free(f->b);
    block_close(f->medium);
    free(f);
}

static void seek(struct fdc *f, uint8_t cylinder)
{
    COMMAND(f, 0x0f, 0, cylinder);
    cr_assert(wait_irq(f));
    COMMAND(f, 0x08);
    cr_assert_eq(results(f), 2);
    cr_expect_eq(f->result[0], 0x20);
    cr_expect_eq(f->result[1], cylinder);
}

static void dma(struct fdc *f, size_t length)
{
    f->dma.at = 0;
    f->dma.left = length;
}

static unsigned number_at(struct fdc *f, unsigned sector) { return le16_get(f->dma.memory + sector * 512); }

/* --- registers and reset ---------------------------------------------------------------------------------------- */

Test(i82077, reset_gives_four_statuses)
{
    struct fdc *f = fdc_new(NULL, 1440);
    bench_out8(f->b, DOR, 0x08);
    cr_expect_eq(bench_in8(f->b, MSR), 0);
    bench_out8(f->b, DOR, 0x0c);
    cr_expect(wait_irq(f));
    for (uint8_t n = 0; n < 4; n++) {
        COMMAND(f, 0x08);
        cr_expect_eq(results(f), 2);
        cr_expect_eq(f->result[0], 0xc0 | n);
        cr_expect(!irq(f));
    }
    COMMAND(f, 0x08);                           /* nothing left: invalid */
    cr_expect_eq(results(f), 1);
    cr_expect_eq(f->result[0], 0x80);
    fdc_free(f);
}

Test(i82077, dsr_reset_clears_itself)
{
    struct fdc *f = fdc_new(NULL, 0);
    bench_out8(f->b, MSR, 0x80);
    cr_expect_eq(bench_in8(f->b, MSR), 0x80);
    cr_expect(wait_irq(f));
    COMMAND(f, 0x08);
    results(f);
    cr_expect_eq(f->result[0], 0xc0);
    fdc_free(f);
}

Test(i82077, polling_off_gives_no_interrupt_after_reset)
{
    struct fdc *f = fdc_new(NULL, 0);
    COMMAND(f, 0x13, 0, 0x50, 0);
    COMMAND(f, 0x94);
    results(f);
    bench_out8(f->b, DOR, 0);
    bench_out8(f->b, DOR, 0x0c);
    bench_step(f->b, 10000000);
    cr_expect(irq(f));                          /* LOCK keeps the FIFO's settings, not POLL */
    fdc_free(f);
}

Test(i82077, dma_gate_disconnects_the_interrupt)
{
    struct fdc *f = fdc_new(NULL, 0);
    bench_out8(f->b, DOR, 0);
    bench_out8(f->b, DOR, 0x04);
    bench_step(f->b, 1000000);
    cr_expect(!irq(f));
    bench_out8(f->b, DOR, 0x0c);
    cr_expect(irq(f));
    fdc_free(f);
}

Test(i82077, ps2_status_registers)
{
    struct fdc *f = fdc_new("ps2=on,drive1=1.44", 1440);
    cr_expect_eq(bench_in8(f->b, 0x3f0) & 0xd0, 0);         /* no interrupt, second drive, at track 0 */
    seek(f, 3);
    cr_expect_eq(bench_in8(f->b, 0x3f0) & 0x10, 0x10);
    cr_expect_eq(bench_in8(f->b, 0x3f1) & 0x03, 1);
    cr_expect_eq(bench_in8(f->b, DIR) & 0x7f, 0x78);        /* 500 kbit/s, high density */
    bench_out8(f->b, DIR, RATE_250);
    cr_expect_eq(bench_in8(f->b, DIR) & 0x7f, 0x78 | 2 << 1 | 1);
    fdc_free(f);
    f = fdc_new(NULL, 1440);
    cr_expect_eq(bench_in8(f->b, 0x3f0), 0xff);
    fdc_free(f);
}

Test(i82077, tape_drive_register_has_two_bits)
{
    struct fdc *f = fdc_new(NULL, 0);
    bench_out8(f->b, TDR, 0xff);
    cr_expect_eq(bench_in8(f->b, TDR), 3);
    fdc_free(f);
}

/* --- commands without a disk ------------------------------------------------------------------------------------ */

Test(i82077, version_and_invalid_commands)
{
    static const uint8_t invalid[] = { 0x00, 0x01, 0x0b, 0x15, 0x18, 0x1f, 0x4f, 0x90, 0x88 };
    struct fdc *f = fdc_new(NULL, 0);
    COMMAND(f, 0x10);
    cr_expect_eq(results(f), 1);
    cr_expect_eq(f->result[0], 0x90);
    for (unsigned n = 0; n < sizeof(invalid); n++) {
        COMMAND(f, invalid[n]);
        cr_expect_eq(results(f), 1, "%02x", invalid[n]);
        cr_expect_eq(f->result[0], 0x80);
        cr_expect(!irq(f));
    }
    fdc_free(f);
}

Test(i82077, dumpreg_shows_what_was_set_and_lock_keeps_it)
{
    struct fdc *f = fdc_new(NULL, 1440);
    COMMAND(f, 0x03, 0xdf, 0x04);
    COMMAND(f, 0x13, 0, 0x5a, 0x12);
    COMMAND(f, 0x12, 0x85);
    seek(f, 9);
    COMMAND(f, 0x94);
    cr_expect_eq(results(f), 1);
    cr_expect_eq(f->result[0], 0x10);
    COMMAND(f, 0x0e);
    cr_expect_eq(results(f), 10);
    cr_expect_arr_eq(f->result, ((uint8_t[]){ 9, 0, 0, 0, 0xdf, 0x04, 0, 0x85, 0x5a, 0x12 }), 10);
    bench_out8(f->b, MSR, 0x80);                /* software reset: FIFO kept, EIS, POLL, GAP and WGATE not */
    cr_expect(wait_irq(f));
    COMMAND(f, 0x0e);
    results(f);
    cr_expect_arr_eq(f->result + 7, ((uint8_t[]){ 0x84, 0x0a, 0x12 }), 3);
    COMMAND(f, 0x14);
    results(f);
    cr_expect_eq(f->result[0], 0);
    bench_out8(f->b, MSR, 0x80);
    cr_expect(wait_irq(f));
    COMMAND(f, 0x0e);
    results(f);
    cr_expect_arr_eq(f->result + 7, ((uint8_t[]){ 0x04, 0x20, 0 }), 3);
    COMMAND(f, 0x12, 0x00);                     /* without OW the drive bits stay */
    COMMAND(f, 0x0e);
    results(f);
    cr_expect_eq(f->result[7], 0x04);
    fdc_free(f);
}

Test(i82077, sense_drive_status)
{
    struct fdc *f = fdc_new(NULL, 1440);
    COMMAND(f, 0x04, 0x04);
    cr_expect_eq(results(f), 1);
    cr_expect_eq(f->result[0], 0x3c);           /* ready, track 0, two sides, head 1 */
    seek(f, 5);
    f->medium->read_only = true;
    COMMAND(f, 0x04, 0x00);
    results(f);
    cr_expect_eq(f->result[0], 0x68);
    fdc_free(f);
}

Test(i82077, recalibrate_finds_track_0_or_reports_equipment_check)
{
    struct fdc *f = fdc_new(NULL, 1440);
    seek(f, 40);
    COMMAND(f, 0x07, 0);
    cr_expect_eq(bench_in8(f->b, MSR) & 0x81, 0x81);        /* drive 0 busy, commands accepted */
    cr_expect(wait_irq(f));
    COMMAND(f, 0x08);
    results(f);
    cr_expect_eq(f->result[0], 0x20);
    cr_expect_eq(f->result[1], 0);
    COMMAND(f, 0x07, 1);                        /* no such drive */
    cr_expect(wait_irq(f));
    COMMAND(f, 0x08);
    results(f);
    cr_expect_eq(f->result[0], 0x71);
    fdc_free(f);
}

Test(i82077, two_seeks_at_once_are_both_reported)
{
    struct fdc *f = fdc_new("drive1=1.44", 1440);
    COMMAND(f, 0x0f, 0, 10);
    COMMAND(f, 0x0f, 1, 20);
    bench_step(f->b, 100000000);
    cr_expect(irq(f));
    COMMAND(f, 0x08);
    results(f);
    cr_expect(irq(f));
    COMMAND(f, 0x08);
    cr_expect_eq(results(f), 2);
    cr_expect_eq(f->result[0], 0x21);
    cr_expect_eq(f->result[1], 20);
    cr_expect(!irq(f));
    fdc_free(f);
}

Test(i82077, relative_seek)
{
    struct fdc *f = fdc_new(NULL, 1440);
    seek(f, 10);
    COMMAND(f, 0xcf, 0, 5);
    cr_expect(wait_irq(f));
    COMMAND(f, 0x08);
    results(f);
    cr_expect_eq(f->result[1], 15);
    COMMAND(f, 0x8f, 0, 7);
    cr_expect(wait_irq(f));
    COMMAND(f, 0x08);
    results(f);
    cr_expect_eq(f->result[1], 8);
    COMMAND(f, 0x4a, 0);
    cr_expect(wait_irq(f));
    results(f);
    cr_expect_eq(f->result[3], 8);
    fdc_free(f);
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

Test(i82077, read_until_terminal_count)
{
    struct fdc *f = fdc_new(NULL, 1440);
    seek(f, 2);
    dma(f, 3 * 512);
    COMMAND(f, 0x46, 0x04, 2, 1, 5, 2, 18, 0x1b, 0xff);
    cr_expect_eq(bench_in8(f->b, MSR), 0x10);
    expect_result(f, 0x04, 0, 0, 2, 1, 8, 2);
    for (unsigned n = 0; n < 3; n++)
        cr_expect_eq(number_at(f, n), (2 * 2 + 1) * 18 + 4 + n);
    fdc_free(f);
}

/* The table of the result phase: what the address is after the last sector. */
Test(i82077, address_after_the_last_sector)
{
    static const struct { uint8_t command, head, r, result[4]; } rows[] = {
        { 0x46, 0, 17, { 7, 0, 18, 2 } }, { 0x46, 0, 18, { 8, 0, 1, 2 } }, { 0x46, 1, 18, { 8, 1, 1, 2 } },
        { 0xc6, 0, 17, { 7, 0, 18, 2 } }, { 0xc6, 0, 18, { 7, 1, 1, 2 } }, { 0xc6, 1, 17, { 7, 1, 18, 2 } },
        { 0xc6, 1, 18, { 8, 0, 1, 2 } },
    };
    struct fdc *f = fdc_new(NULL, 1440);
    seek(f, 7);
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        dma(f, 512);
        COMMAND(f, rows[n].command, (uint8_t)(rows[n].head << 2), 7, rows[n].head, rows[n].r, 2, 18, 0x1b, 0xff);
        cr_expect(wait_irq(f));
        results(f);
        cr_expect_eq(f->result[0] & 0xc0, 0, "row %u", n);
        cr_expect_arr_eq(f->result + 3, rows[n].result, 4, "row %u: %u %u %u", n, f->result[3], f->result[4], f->result[5]);
    }
    fdc_free(f);
}

Test(i82077, multi_track_reads_a_cylinder)
{
    struct fdc *f = fdc_new(NULL, 1440);
    dma(f, 36 * 512);
    COMMAND(f, 0xc6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(f, 0, 0, 0, 1, 0, 1, 2);
    for (unsigned n = 0; n < 36; n++)
        cr_expect_eq(number_at(f, n), n);
    fdc_free(f);
}

Test(i82077, end_of_cylinder_without_terminal_count)
{
    struct fdc *f = fdc_new(NULL, 1440);
    dma(f, 60000);
    COMMAND(f, 0x46, 0, 0, 0, 17, 2, 18, 0x1b, 0xff);
    expect_result(f, 0x40, 0x80, 0, 1, 0, 1, 2);
    cr_expect_eq(f->dma.at, 1024);
    fdc_free(f);
}

Test(i82077, terminal_count_inside_a_sector)
{
    struct fdc *f = fdc_new(NULL, 1440);
    dma(f, 100);
    COMMAND(f, 0x46, 0, 0, 0, 3, 2, 18, 0x1b, 0xff);
    expect_result(f, 0, 0, 0, 0, 0, 4, 2);
    cr_expect_eq(number_at(f, 0), 2);
    fdc_free(f);
}

Test(i82077, errors_of_addresses)
{
    struct fdc *f = fdc_new(NULL, 1440);
    dma(f, 512);
    COMMAND(f, 0x46, 0, 0, 0, 19, 2, 19, 0x1b, 0xff);       /* no such sector */
    expect_result(f, 0x40, 0x04, 0, 0, 0, 19, 2);
    COMMAND(f, 0x46, 0, 5, 0, 1, 2, 18, 0x1b, 0xff);        /* wrong cylinder */
    expect_result(f, 0x40, 0x04, 0x10, 5, 0, 1, 2);
    COMMAND(f, 0x46, 0, 0, 1, 1, 2, 18, 0x1b, 0xff);        /* wrong head number in the mark */
    expect_result(f, 0x40, 0x04, 0, 0, 1, 1, 2);
    COMMAND(f, 0x46, 0, 0, 0, 1, 3, 18, 0x1b, 0xff);        /* 1024 bytes */
    expect_result(f, 0x40, 0x04, 0, 0, 0, 1, 3);
    COMMAND(f, 0x06, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);        /* FM */
    expect_result(f, 0x40, 0x01, 0, 0, 0, 1, 2);
    bench_out8(f->b, DIR, RATE_250);
    COMMAND(f, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);        /* wrong data rate */
    expect_result(f, 0x40, 0x01, 0, 0, 0, 1, 2);
    bench_out8(f->b, DIR, RATE_500);
    bench_out8(f->b, DOR, 0x0c);                            /* motor off */
    COMMAND(f, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(f, 0x40, 0x01, 0, 0, 0, 1, 2);
    cr_expect_eq(f->dma.at, 0);
    fdc_free(f);
}

Test(i82077, masked_dma_overruns_and_a_late_grant_goes_on)
{
    struct fdc *f = fdc_new(NULL, 1440);
    dma(f, 512);
    f->dma.masked = true;
    COMMAND(f, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(f, 0x40, 0x10, 0, 0, 0, 1, 2);
    COMMAND(f, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    bench_step(f->b, 100000000);
    cr_expect(!irq(f));
    f->dma.masked = false;
    f->dma.channel.granted(f->dma.channel.card);
    expect_result(f, 0, 0, 0, 0, 0, 2, 2);
    fdc_free(f);
}

Test(i82077, implied_seek)
{
    struct fdc *f = fdc_new(NULL, 1440);
    COMMAND(f, 0x13, 0, 0x40, 0);
    dma(f, 512);
    COMMAND(f, 0x46, 0, 33, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(f, 0x20, 0, 0, 33, 0, 2, 2);
    cr_expect_eq(number_at(f, 0), 33 * 36);
    fdc_free(f);
}

Test(i82077, read_id_turns_with_the_disk)
{
    struct fdc *f = fdc_new(NULL, 1440);
    bool seen[19] = { false };
    seek(f, 4);
    for (unsigned n = 0; n < 200; n++) {
        COMMAND(f, 0x4a, 0x04);
        cr_expect(wait_irq(f));
        results(f);
        cr_expect_eq(f->result[0], 4);
        cr_expect(f->result[3] == 4 && f->result[4] == 1 && f->result[6] == 2);
        cr_assert(f->result[5] >= 1 && f->result[5] <= 18);
        seen[f->result[5]] = true;
        bench_step(f->b, 130000 + n * 1000);
    }
    for (unsigned r = 1; r <= 18; r++)
        cr_expect(seen[r], "sector %u", r);
    fdc_free(f);
}

Test(i82077, read_track_ignores_addresses)
{
    struct fdc *f = fdc_new(NULL, 1440);
    dma(f, 4 * 512);
    COMMAND(f, 0x42, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(f, 0, 0, 0, 0, 0, 5, 2);
    cr_expect_eq(number_at(f, 3), 3);
    dma(f, 2 * 512);
    COMMAND(f, 0x42, 0, 0, 0, 7, 2, 18, 0x1b, 0xff);        /* not the sectors that come: ND, and on */
    cr_expect(wait_irq(f));
    results(f);
    cr_expect_eq(f->result[1] & 0x04, 0x04);
    cr_expect_eq(number_at(f, 1), 1);
    fdc_free(f);
}

Test(i82077, verify)
{
    struct fdc *f = fdc_new(NULL, 1440);
    COMMAND(f, 0x56, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(f, 0, 0, 0, 1, 0, 1, 2);
    COMMAND(f, 0x56, 0x80, 0, 0, 3, 2, 18, 0x1b, 4);        /* EC: four sectors */
    expect_result(f, 0, 0, 0, 0, 0, 7, 2);
    COMMAND(f, 0x56, 0, 0, 0, 18, 2, 19, 0x1b, 0xff);
    expect_result(f, 0x40, 0x04, 0, 0, 0, 19, 2);
    cr_expect_eq(f->dma.at, 0);
    fdc_free(f);
}

Test(i82077, non_dma_mode_ends_with_end_of_cylinder)
{
    struct fdc *f = fdc_new(NULL, 1440);
    uint8_t bytes[1024];
    COMMAND(f, 0x03, 0xaf, 0x03);
    COMMAND(f, 0x46, 0, 0, 0, 2, 2, 3, 0x1b, 0xff);
    for (unsigned n = 0; n < 1024; n++) {
        for (unsigned i = 0; i < 1000 && !(bench_in8(f->b, MSR) & 0x80); i++)
            bench_step(f->b, 100000);
        cr_assert_eq(bench_in8(f->b, MSR), 0xf0);
        cr_assert(irq(f));
        bytes[n] = bench_in8(f->b, DATA);
    }
    expect_result(f, 0x40, 0x80, 0, 1, 0, 1, 2);
    cr_expect_eq(le16_get(bytes), 1);
    cr_expect_eq(le16_get(bytes + 512), 2);
    fdc_free(f);
}

/* --- writing ---------------------------------------------------------------------------------------------------------- */

static void expect_sector(struct fdc *f, unsigned number, uint8_t first, uint8_t last)
{
    uint8_t sector[512];
    cr_assert(!block_read(f->medium, number * 512ull, sector, sizeof(sector)));
    cr_expect_eq(sector[0], first, "sector %u: %02x", number, sector[0]);
    cr_expect_eq(sector[511], last, "sector %u: %02x", number, sector[511]);
}

Test(i82077, write_and_the_rest_of_a_sector_is_zero)
{
    struct fdc *f = fdc_new(NULL, 1440);
    seek(f, 1);
    memset(f->dma.memory, 0xa5, 2048);
    dma(f, 700);
    COMMAND(f, 0x45, 0, 1, 0, 4, 2, 18, 0x1b, 0xff);
    expect_result(f, 0, 0, 0, 1, 0, 6, 2);
    expect_sector(f, 36 + 3, 0xa5, 0xa5);
    expect_sector(f, 36 + 4, 0xa5, 0);
    expect_sector(f, 36 + 5, (36 + 5) & 0xff, (36 + 5) & 0xff);
    fdc_free(f);
}

Test(i82077, write_protect)
{
    struct fdc *f = fdc_new(NULL, 1440);
    f->medium->read_only = true;
    dma(f, 512);
    COMMAND(f, 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(f, 0x40, 0x02, 0, 0, 0, 1, 2);
    COMMAND(f, 0x4d, 0, 2, 18, 0x6c, 0xf6);
    cr_expect(wait_irq(f));
    results(f);
    cr_expect_eq(f->result[1], 0x02);
    expect_sector(f, 0, 0, 0);
    fdc_free(f);
}

Test(i82077, deleted_data_marks)
{
    struct fdc *f = fdc_new(NULL, 1440);
    memset(f->dma.memory, 0x11, 512);
    dma(f, 512);
    COMMAND(f, 0x49, 0, 0, 0, 5, 2, 18, 0x1b, 0xff);
    expect_result(f, 0, 0, 0, 0, 0, 6, 2);
    dma(f, 2048);
    COMMAND(f, 0x46, 0, 0, 0, 4, 2, 18, 0x1b, 0xff);        /* READ DATA: reads it, sets CM, stops */
    expect_result(f, 0, 0, 0x40, 0, 0, 5, 2);
    cr_expect_eq(f->dma.at, 1024);
    dma(f, 1024);
    COMMAND(f, 0x66, 0, 0, 0, 4, 2, 18, 0x1b, 0xff);        /* with SK: skips it */
    expect_result(f, 0, 0, 0x40, 0, 0, 7, 2);
    cr_expect_eq(number_at(f, 0), 3);
    cr_expect_eq(number_at(f, 1), 5);
    dma(f, 512);
    COMMAND(f, 0x4c, 0, 0, 0, 5, 2, 18, 0x1b, 0xff);
    expect_result(f, 0, 0, 0, 0, 0, 6, 2);
    dma(f, 512);
    COMMAND(f, 0x45, 0, 0, 0, 5, 2, 18, 0x1b, 0xff);        /* a normal write takes the mark away */
    expect_result(f, 0, 0, 0, 0, 0, 6, 2);
    dma(f, 512);
    COMMAND(f, 0x46, 0, 0, 0, 5, 2, 18, 0x1b, 0xff);
    expect_result(f, 0, 0, 0, 0, 0, 6, 2);
    fdc_free(f);
}

Test(i82077, format_a_track)
{
    struct fdc *f = fdc_new(NULL, 1440);
    seek(f, 79);
    for (unsigned n = 0; n < 18; n++)
        memcpy(f->dma.memory + 4 * n, ((uint8_t[]){ 79, 1, (uint8_t)((n * 5) % 18 + 1), 2 }), 4);
    dma(f, 72);
    COMMAND(f, 0x4d, 4, 2, 18, 0x6c, 0xf6);
    cr_expect(wait_irq(f));
    cr_expect_eq(results(f), 7);
    cr_expect_eq(f->result[0], 4);
    for (unsigned n = 0; n < 18; n++)
        expect_sector(f, (79 * 2 + 1) * 18 + n, 0xf6, 0xf6);
    expect_sector(f, 79 * 36, (79 * 36) & 0xff, (79 * 36) & 0xff);
    dma(f, 36);
    COMMAND(f, 0x4d, 4, 2, 9, 0x6c, 0xf6);                  /* not the medium's layout */
    cr_expect(wait_irq(f));
    results(f);
    cr_expect_eq(f->result[0] & 0xc0, 0x40);
    fdc_free(f);
}

Test(i82077, scan)
{
    static const struct { uint8_t command, low, st2, r; } rows[] = {
        { 0x51, 0, 0x08, 3 }, { 0x59, 1, 0x00, 3 }, { 0x5d, 0xfe, 0x00, 3 },
    };
    struct fdc *f = fdc_new(NULL, 1440);
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        memset(f->dma.memory, rows[n].low == 0xfe ? 0 : 2 + rows[n].low, 512);
        if (rows[n].low != 0xfe)
            le16_put(f->dma.memory, 0xffff);    /* FFh: equal to anything */
        dma(f, 512);
        COMMAND(f, rows[n].command, 0, 0, 0, 3, 2, 18, 0x1b, 1);
        cr_expect(wait_irq(f));
        results(f);
        cr_expect_eq(f->result[0], 0);
        cr_expect_eq(f->result[2], rows[n].st2, "row %u: %02x", n, f->result[2]);
        cr_expect_eq(f->result[5], rows[n].r);
    }
    memset(f->dma.memory, 0x77, 65536);
    dma(f, 65536);
    COMMAND(f, 0x51, 0, 0, 0, 1, 2, 9, 0x1b, 2);            /* never equal, every second sector */
    cr_expect(wait_irq(f));
    results(f);
    cr_expect_eq(f->result[2], 0x04);
    cr_expect_eq(f->dma.at, 5 * 512);
    fdc_free(f);
}

Test(i82077, non_dma_write)
{
    struct fdc *f = fdc_new(NULL, 1440);
    COMMAND(f, 0x03, 0xaf, 0x03);
    COMMAND(f, 0x45, 0, 0, 0, 9, 2, 9, 0x1b, 0xff);
    for (unsigned n = 0; n < 512; n++) {
        for (unsigned i = 0; i < 1000 && !(bench_in8(f->b, MSR) & 0x80); i++)
            bench_step(f->b, 100000);
        cr_assert_eq(bench_in8(f->b, MSR), 0xb0);
        bench_out8(f->b, DATA, 0x42);
    }
    expect_result(f, 0x40, 0x80, 0, 1, 0, 1, 2);
    expect_sector(f, 8, 0x42, 0x42);
    fdc_free(f);
}

/* --- media ----------------------------------------------------------------------------------------------------------- */

Test(i82077, formats_by_size)
{
    static const struct { unsigned kib, tracks, heads, sectors, rate, type; } rows[] = {
        { 160, 40, 1, 8, 2, 1 }, { 180, 40, 1, 9, 2, 1 }, { 320, 40, 2, 8, 2, 1 }, { 360, 40, 2, 9, 2, 1 }, { 720, 80, 2, 9, 2, 3 },
        { 1200, 80, 2, 15, 0, 2 }, { 1440, 80, 2, 18, 0, 4 }, { 1680, 80, 2, 21, 0, 4 }, { 1722, 82, 2, 21, 0, 4 },
        { 820, 82, 2, 10, 2, 3 }, { 2880, 80, 2, 36, 3, 5 },
    };
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        struct fdc *f = fdc_new(NULL, rows[n].kib);
        cr_expect_eq(i82077_drive_type(f->dev, 0), rows[n].type, "%u", rows[n].kib);
        bench_out8(f->b, DIR, (uint8_t)rows[n].rate);
        uint8_t c = (uint8_t)(rows[n].tracks - 1), h = (uint8_t)(rows[n].heads - 1), s = (uint8_t)rows[n].sectors;
        seek(f, c);
        dma(f, 512);
        COMMAND(f, 0x46, (uint8_t)(h << 2), c, h, s, 2, s, 0x1b, 0xff);
        expect_result(f, (uint8_t)(h << 2), 0, 0, (uint8_t)(c + 1), h, 1, 2);
        cr_expect_eq(number_at(f, 0), rows[n].kib * 2 - 1);
        fdc_free(f);
    }
}

Test(i82077, one_sided_media_have_no_second_side)
{
    struct fdc *f = fdc_new(NULL, 180);
    bench_out8(f->b, DIR, 1);                   /* 300 kbit/s: a high density drive */
    COMMAND(f, 0x4a, 0x04);
    expect_result(f, 0x44, 0x01, 0, 0, 0, 0, 0);
    COMMAND(f, 0x4a, 0x00);
    cr_expect(wait_irq(f));
    results(f);
    cr_expect_eq(f->result[0], 0);
    fdc_free(f);
}

Test(i82077, double_steps_in_a_1200k_drive)
{
    struct fdc *f = fdc_new("drive0=1.2", 360);
    bench_out8(f->b, DIR, 1);
    seek(f, 20);
    dma(f, 512);
    COMMAND(f, 0x46, 0, 10, 0, 1, 2, 9, 0x1b, 0xff);
    expect_result(f, 0, 0, 0, 10, 0, 2, 2);
    cr_expect_eq(number_at(f, 0), 10 * 18);
    fdc_free(f);
}

Test(i82077, the_change_line_stays_until_a_step_with_a_disk)
{
    struct fdc *f = fdc_new(NULL, 1440);
    cr_expect_eq(bench_in8(f->b, DIR) & 0x80, 0x80);
    seek(f, 1);
    cr_expect_eq(bench_in8(f->b, DIR) & 0x80, 0);
    insert(f, NULL);
    cr_expect_eq(bench_in8(f->b, DIR) & 0x80, 0x80);
    seek(f, 2);
    cr_expect_eq(bench_in8(f->b, DIR) & 0x80, 0x80);
    insert(f, medium_new(720));
    seek(f, 2);                                 /* no step */
    cr_expect_eq(bench_in8(f->b, DIR) & 0x80, 0x80);
    seek(f, 3);
    cr_expect_eq(bench_in8(f->b, DIR) & 0x80, 0);
    cr_expect_eq(i82077_drive_type(f->dev, 0), FLOPPY_1440K);      /* the drive stays what it is */
    fdc_free(f);
}

Test(i82077, no_medium)
{
    struct fdc *f = fdc_new(NULL, 0);
    dma(f, 512);
    COMMAND(f, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(f, 0x40, 0x01, 0, 0, 0, 1, 2);
    COMMAND(f, 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(f, 0x40, 0x01, 0, 0, 0, 1, 2);
    fdc_free(f);
    f = fdc_new("fast=off", 0);                 /* no index pulses: the chip waits until it is reset */
    COMMAND(f, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    bench_step(f->b, 5000000000);
    cr_expect(!irq(f));
    reset_controller(f);
    fdc_free(f);
}

Test(i82077, media_of_other_sizes_are_refused)
{
    struct fdc *f = fdc_new(NULL, 0);
    struct error err;
    struct block *odd = block_open_memory(1000000, &err);
    cr_expect(!f->dev->class->media(f->dev, 0, odd, &err));
    cr_expect(!f->dev->class->media(f->dev, 2, NULL, &err));
    struct block *good = medium_new(1440);
    cr_expect(!f->dev->class->media(f->dev, 1, good, &err));        /* no second drive */
    block_close(odd);
    block_close(good);
    cr_expect_eq(floppy_size_for(1000000), 1228800);
    cr_expect_eq(floppy_size_for(1474560), 1474560);
    cr_expect_eq(floppy_size_for(3000000), 0);
    fdc_free(f);
}

Test(i82077, medium_taken_out_during_a_write)
{
    struct fdc *f = fdc_new(NULL, 1440);
    dma(f, 512);
    f->dma.masked = true;
    COMMAND(f, 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    bench_step(f->b, 100000000);
    insert(f, NULL);
    f->dma.masked = false;
    f->dma.channel.granted(f->dma.channel.card);
    expect_result(f, 0x40, 0x01, 0, 0, 0, 1, 2);
    fdc_free(f);
}

/* Real mechanics: 3 ms a step, 200 ms a turn, 11 ms a sector. */
Test(i82077, real_timing)
{
    struct fdc *f = fdc_new("fast=off", 1440);
    COMMAND(f, 0x03, 0xdf, 0x02);
    int64_t begin = bench_now(f->b);
    seek(f, 40);
    cr_expect(bench_now(f->b) - begin >= 40 * 3000000ll && bench_now(f->b) - begin < 41 * 3000000ll);
    begin = bench_now(f->b);
    dma(f, 18 * 512);
    COMMAND(f, 0x46, 0, 40, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(f, 0, 0, 0, 41, 0, 1, 2);
    cr_expect(bench_now(f->b) - begin > 190000000 && bench_now(f->b) - begin < 410000000);
    fdc_free(f);
}

Test(i82077, state_survives_in_the_middle_of_a_read)
{
    struct fdc *f = fdc_new(NULL, 1440), *g = fdc_new(NULL, 1440);
    struct stream stream = { 0 };
    struct error err;
    seek(f, 3);
    dma(f, 5 * 512);
    dma(g, 5 * 512);
    COMMAND(f, 0x46, 0, 3, 0, 1, 2, 18, 0x1b, 0xff);
    while (f->dma.at < 2 * 512)
        bench_step(f->b, 10000);
    cr_assert(machine_save(f->b->m, &stream, &err));
    memcpy(g->dma.memory, f->dma.memory, f->dma.at);
    g->dma.at = f->dma.at;
    g->dma.left = f->dma.left;
    cr_assert(machine_load(g->b->m, &stream, &err), "%s", err.text);
    expect_result(g, 0, 0, 0, 3, 0, 6, 2);
    for (unsigned n = 0; n < 5; n++)
        cr_expect_eq(number_at(g, n), 3 * 36 + n);
    stream_free(&stream);
    fdc_free(f);
    fdc_free(g);
}

Test(i82077, random_bytes)
{
    struct fdc *f = fdc_new("drive1=1.44", 1440);
    uint32_t seed = 3;
    for (unsigned n = 0; n < 200000; n++) {
        static const uint16_t ports[] = { DOR, MSR, DATA, DATA, DATA, DATA, DATA, DIR };
        seed = seed * 1664525 + 1013904223;
        unsigned kind = seed >> 28;
        if (kind < 9)
            bench_out8(f->b, kind ? DATA : ports[seed >> 8 & 7], (uint8_t)(seed >> 16));
        else if (kind < 14)
            bench_in8(f->b, (uint16_t)(0x3f0 + (seed >> 8 & 7)));
        else if (kind == 14)
            bench_step(f->b, seed >> 8 & 0xfffff);
        else
            dma(f, seed >> 16 & 0xfff);
        if (!(seed >> 8 & 0xff))
            reset_controller(f);
    }
    fdc_free(f);
}
