/* The SCSI bus, its disk and its CD-ROM drive: [SCSI-2] 6 to 9 and 14. */
#include "tests/devices/scsi_bench.h"
#include "devices/cdrom.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static uint8_t bytes[300 << 10], back[300 << 10];
#define CDB(...) ((const uint8_t[16]){ __VA_ARGS__ })
static struct block *disk;

static struct bench *start(struct scsi_bus **bus)
{
    struct bench *b = scsi_bench(NULL, &disk);
    *bus = scsi_initiator(b);
    return b;
}

/* As start, with the unit attention of power-on out of the way. */
static struct bench *ready(struct scsi_bus **bus)
{
    struct bench *b = start(bus);
    cr_assert_eq(scsi_run(*bus, 0, 0, CDB(0), NULL, NULL), SCSI_CHECK);
    scsi_sense(*bus, 0);
    return b;
}

static void end(struct bench *b)
{
    bench_free(b);
    block_close(disk);
}

Test(scsi, power_on_is_a_unit_attention_told_once)
{
    struct scsi_bus *bus;
    struct bench *b = start(&bus);
    uint32_t length = 36;
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0x12, 0, 0, 0, 36), back, &length), 0, "INQUIRY is answered all the same");
    cr_assert(length == 36 && back[0] == 0 && back[2] == 2 && !memcmp(back + 8, "ACME    TESTDISK        1.0 ", 28));
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0), NULL, NULL), SCSI_CHECK);
    cr_assert_eq(scsi_sense(bus, 0), 0x62900);
    cr_assert_eq(scsi_sense(bus, 0), 0, "sense is gone when it was read");
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0), NULL, NULL), 0);
    scsi_reset(bus);
    cr_assert_eq(scsi_sense(bus, 0), 0x62900, "REQUEST SENSE alone tells it, too");
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0), NULL, NULL), 0);
    end(b);
}

Test(scsi, absent_targets_and_units)
{
    struct scsi_bus *bus;
    struct bench *b = ready(&bus);
    uint32_t length = 36;
    for (unsigned id = 1; id < 17; id++)
        cr_assert_eq(scsi_run(bus, id, 0, CDB(0), NULL, NULL), -1);
    cr_assert_eq(scsi_run(bus, 0, 3, CDB(0x12, 0, 0, 0, 36), back, &length), 0);
    cr_assert_eq(back[0], 0x7f);
    cr_assert_eq(scsi_run(bus, 0, 3, CDB(0x12), NULL, NULL), 0, "a reply of no bytes has no data phase");
    cr_assert_eq(scsi_run(bus, 0, 3, CDB(0), NULL, NULL), SCSI_CHECK);
    length = 18;
    cr_assert_eq(scsi_run(bus, 0, 3, CDB(3, 0, 0, 0, 18), back, &length), 0);
    cr_assert_eq(be16_get(back + 12), ASC_LUN);
    end(b);
}

Test(scsi, reads_and_writes)
{
    struct scsi_bus *bus;
    struct bench *b = ready(&bus);
    uint32_t length = 400 * 512;
    scsi_pattern(bytes, sizeof(bytes), 1);
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0x28, 0, 0, 0, 0, 3, 0, 400 >> 8, 400 & 255), back, &length), 0, "more than a buffer");
    cr_assert_eq(length, 400 * 512);
    cr_assert_arr_eq(back, bytes + 3 * 512, 400 * 512);
    length = 256 * 512;
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(8, 0, 0, 1, 0), back, &length), 0, "READ(6): 0 is 256");
    cr_assert_arr_eq(back, bytes + 512, 256 * 512);
    scsi_pattern(bytes, sizeof(bytes), 99);
    length = 300 * 512;
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0xaa, 0, 0, 0, 0x0e, 0, 0, 0, 300 >> 8, 300 & 255), bytes, &length), 0);
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0x35), NULL, NULL), 0);
    block_read(disk, 0xe00 * 512, back, 300 * 512);
    cr_assert_arr_eq(back, bytes, 300 * 512);
    length = 512;
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0x88, 0, 0, 0, 0, 0, 0, 0, 0x0e, 1, 0, 0, 0, 1), back, &length), 0);
    cr_assert_arr_eq(back, bytes + 512, 512);
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0x28, 0, 0, 0, 0x0f, 0xff, 0, 0, 2), NULL, NULL), SCSI_CHECK);
    cr_assert_eq(scsi_sense(bus, 0), 0x52100);
    disk->read_only = true;
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0x2a, 0, 0, 0, 0, 0, 0, 0, 1), NULL, NULL), SCSI_CHECK);
    cr_assert_eq(scsi_sense(bus, 0), 0x72700);
    end(b);
}

Test(scsi, identity_and_mode_pages)
{
    struct scsi_bus *bus;
    struct bench *b = ready(&bus);
    uint32_t length = 255;
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0x12, 1, 0x80, 0, 255), back, &length), 0);
    cr_assert(length == 8 && !memcmp(back + 4, "SN42", 4));
    length = 8;
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0x25), back, &length), 0);
    cr_assert(be32_get(back) == SCSI_DISK_SECTORS - 1 && be32_get(back + 4) == 512);
    length = 255;
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0x1a, 0, 0x3f, 0, 255), back, &length), 0);
    cr_assert(back[0] == length - 1 && back[3] == 8 && be32_get(back + 4) == SCSI_DISK_SECTORS && be32_get(back + 8) == 512);
    cr_assert(back[12] == 1 && back[24] == 3 && back[48] == 4 && back[53] == 64 && be16_get(back + 24 + 10) == 32, "64 heads, 32 sectors");
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0x1a, 0, 0x77, 0, 255), back, &length), SCSI_CHECK);
    length = 24;
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0x15, 0x10, 0, 0, 24), bytes, &length), 0, "a list is taken");
    cr_assert_eq(length, 24);
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0xc1), NULL, NULL), SCSI_CHECK);
    cr_assert_eq(scsi_sense(bus, 0), 0x52000);
    end(b);
}

Test(scsi, messages)
{
    struct scsi_bus *bus;
    struct bench *b = ready(&bus);
    static const uint8_t wide[] = { 0xc0, 0x20, 0x01, 0x01, 0x02, 0x03, 0x01 };
    uint32_t room;
    cr_assert(scsi_select(bus, 0, true));
    cr_assert_eq(scsi_phase(bus), SCSI_MESSAGE_OUT);
    for (unsigned n = 0; n < sizeof(wide); n++) {
        *scsi_window(bus, &room) = wide[n];
        if (n + 1 == sizeof(wide))
            scsi_attention(bus, false);
        scsi_moved(bus, 1);
    }
    cr_assert_eq(scsi_phase(bus), SCSI_MESSAGE_IN, "there is nothing to negotiate");
    cr_assert_eq(*scsi_window(bus, &room), 7, "MESSAGE REJECT");
    scsi_moved(bus, 1);
    cr_assert_eq(scsi_phase(bus), SCSI_COMMAND);
    memcpy(scsi_window(bus, &room), CDB(0x28, 0, 0, 0, 0, 0), 6);
    scsi_moved(bus, 6);
    cr_assert_eq(scsi_phase(bus), SCSI_COMMAND, "a group 1 command has four bytes more");
    memcpy(scsi_window(bus, &room), CDB(0, 0, 8), 3);
    cr_assert_eq(room, 4);
    scsi_moved(bus, 4);
    cr_assert_eq(scsi_phase(bus), SCSI_DATA_IN);
    scsi_attention(bus, true);
    cr_assert_eq(scsi_phase(bus), SCSI_MESSAGE_OUT, "the initiator interrupts");
    scsi_attention(bus, false);
    *scsi_window(bus, &room) = 6;               /* ABORT */
    scsi_moved(bus, 1);
    cr_assert_eq(scsi_phase(bus), SCSI_FREE);
    cr_assert_eq(scsi_run(bus, 0, 0, CDB(0), NULL, NULL), 0, "no unit attention after an abort");
    end(b);
}

/* A request that was aborted while the medium works on it must not disturb the command after it. */
Test(scsi, an_aborted_request_comes_back_later)
{
    struct scsi_bus *bus;
    struct bench *b = ready(&bus);
    struct error err = { 0 };
    struct block_pool *pool = block_pool_create(0, (void (*)(void *, void (*)(void *), void *))machine_post, b->m, &err);
    uint32_t room;
    block_attach(disk, pool);
    cr_assert(scsi_select(bus, 0, false));
    memcpy(scsi_window(bus, &room), CDB(8, 0, 0, 0, 4), 6);
    scsi_moved(bus, 6);
    cr_assert_eq(scsi_phase(bus), SCSI_WAIT);
    scsi_attention(bus, true);
    scsi_attention(bus, false);
    *scsi_window(bus, &room) = 6;
    scsi_moved(bus, 1);
    cr_assert(scsi_select(bus, 0, false));
    memcpy(scsi_window(bus, &room), CDB(0x12, 0, 0, 0, 36), 6);
    scsi_moved(bus, 6);
    scsi_wait(bus, b);
    cr_assert_eq(scsi_phase(bus), SCSI_DATA_IN);
    cr_assert_eq(memcmp(scsi_window(bus, &room) + 8, "ACME", 4), 0);
    scsi_reset(bus);
    block_attach(disk, NULL);
    block_pool_free(pool);
    end(b);
}

Test(scsi, a_disc_is_read_and_taken_out)
{
    struct scsi_bus *bus;
    struct bench *b = start(&bus);
    struct error err = { 0 };
    struct device *cd = bench_add(b, "scsi_cdrom", "cdrom0", "id=5");
    struct block *disc = block_open_memory(100 * 2048, &err);
    uint32_t length = 36;
    cd->class->reset(cd, RESET_POWER);
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x12, 0, 0, 0, 36), back, &length), 0);
    cr_assert(back[0] == 5 && back[1] == 0x80 && back[2] == 2 && back[3] == 2);
    scsi_sense(bus, 5);
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0), NULL, NULL), SCSI_CHECK);
    cr_assert_eq(scsi_sense(bus, 5), 0x23a01);
    scsi_pattern(bytes, 100 * 2048, 5);
    block_write(disc, 0, bytes, 100 * 2048);
    cr_assert(cd->class->media(cd, 0, disc, &err));
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0), NULL, NULL), SCSI_CHECK);
    cr_assert_eq(scsi_sense(bus, 5), 0x62800, "the medium may have changed");
    length = 90 * 2048;
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x28, 0, 0, 0, 0, 7, 0, 0, 90), back, &length), 0);
    cr_assert_arr_eq(back, bytes + 7 * 2048, 90 * 2048);
    length = 2048;
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(8, 0, 0, 9, 1), back, &length), 0, "READ(6), which ATAPI lacks");
    cr_assert_arr_eq(back, bytes + 9 * 2048, 2048);
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x1e, 0, 0, 0, 1), NULL, NULL), 0);
    cr_assert(scsi_cdrom_locked(cd));
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x1b, 0, 0, 0, 2), NULL, NULL), SCSI_CHECK);
    cr_assert_eq(scsi_sense(bus, 5), 0x55302);
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x1e), NULL, NULL), 0);
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x1b, 0, 0, 0, 2), NULL, NULL), 0);
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0), NULL, NULL), SCSI_CHECK);
    cr_assert_eq(scsi_sense(bus, 5), 0x23a02, "the tray is open");
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x1b, 0, 0, 0, 3), NULL, NULL), 0);
    /* taken out by hand in the middle of a read */
    scsi_sense(bus, 5);
    uint32_t room;
    cr_assert(scsi_select(bus, 5, false));
    memcpy(scsi_window(bus, &room), CDB(0x28, 0, 0, 0, 0, 0), 6);
    scsi_moved(bus, 6);
    memcpy(scsi_window(bus, &room), CDB(0, 0, 90), 3);
    scsi_moved(bus, 4);
    cr_assert_eq(scsi_phase(bus), SCSI_DATA_IN);
    cr_assert(cd->class->media(cd, 0, NULL, &err));
    scsi_window(bus, &room);
    scsi_moved(bus, room);
    cr_assert_eq(scsi_phase(bus), SCSI_STATUS, "the rest of the disc does not come");
    cr_assert_eq(*scsi_window(bus, &room), SCSI_CHECK);
    scsi_reset(bus);
    end(b);
    block_close(disc);
}

/* A data track, two of audio in the same session, a data track in another one. */
static struct bench *mixed(struct scsi_bus **bus, struct block **disc)
{
    static const struct block_disc tracks = { 4, { { 0, 1, DISC_MODE1 }, { 100, 1, DISC_AUDIO }, { 250, 1, DISC_AUDIO }, { 15000, 2, DISC_MODE2 } } };
    struct bench *b = start(bus);
    struct error err = { 0 };
    struct device *cd = bench_add(b, "scsi_cdrom", "cdrom0", "id=5");
    *disc = block_open_memory(15100ull * 2352, &err);
    (*disc)->disc = &tracks;
    cd->class->reset(cd, RESET_POWER);
    cr_assert(cd->class->media(cd, 0, *disc, &err));
    scsi_sense(*bus, 5);
    return b;
}

Test(scsi, tables_of_contents)
{
    struct scsi_bus *bus;
    struct block *disc;
    struct bench *b = mixed(&bus, &disc);
    uint32_t length = 804;
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x43, 0, 0, 0, 0, 0, 0, 3, 0x24), back, &length), 0);
    cr_assert(length == 4 + 5 * 8 && be16_get(back) == length - 2 && back[2] == 1 && back[3] == 4);
    cr_assert(back[5] == 0x14 && back[6] == 1 && be32_get(back + 8) == 0);
    cr_assert(back[13] == 0x10 && back[14] == 2 && be32_get(back + 16) == 100, "audio");
    cr_assert(back[38] == 0xaa && be32_get(back + 40) == 15100, "lead-out");
    length = 12;
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x43, 0, 1, 0, 0, 0, 0, 0, 12), back, &length), 0);
    cr_assert(back[2] == 1 && back[3] == 2 && back[6] == 4 && be32_get(back + 8) == 15000, "the last session");
    length = 804;
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x43, 0, 2, 0, 0, 0, 0, 3, 0x24), back, &length), 0);
    cr_assert_eq(length, 4 + 11 * (3 + 3 + 3 + 1));
    cr_assert(back[4] == 1 && back[7] == 0xa0 && back[12] == 1 && back[18] == 0xa1 && back[23] == 3, "first and last track of session 1");
    cr_assert(back[29] == 0xa2 && back[34] == 0 && back[35] == (15000 - 11400 + 150) / 75, "its lead-out");
    cr_assert(back[4 + 66] == 2, "session 2 after six entries");
    end(b);
    block_close(disc);
}

Test(scsi, raw_and_cooked_sectors)
{
    struct scsi_bus *bus;
    struct block *disc;
    struct bench *b = mixed(&bus, &disc);
    uint32_t length = 2048;
    for (unsigned n = 0; n < 3; n++) {
        static const uint32_t at[] = { 7, 120, 15007 };
        scsi_pattern(bytes, 2352, n);
        bytes[15] = n == 2 ? 2 : 1;
        block_write(disc, at[n] * 2352ull, bytes, 2352);
    }
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x28, 0, 0, 0, 0, 7, 0, 0, 1), back, &length), 0);
    scsi_pattern(bytes, 2352, 0);
    cr_assert_arr_eq(back, bytes + 16, 2048, "mode 1: behind the header");
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x28, 0, 0, 0, 0x3a, 0x9f, 0, 0, 1), back, &length), 0);
    scsi_pattern(bytes, 2352, 2);
    cr_assert_arr_eq(back, bytes + 24, 2048, "mode 2 form 1: behind the subheader");
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x28, 0, 0, 0, 0, 120, 0, 0, 1), NULL, NULL), SCSI_CHECK);
    cr_assert_eq(scsi_sense(bus, 5), 0x56400, "audio is no data");
    length = 2352;
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0xbe, 4, 0, 0, 0, 120, 0, 0, 1, 0x10), back, &length), 0);
    scsi_pattern(bytes, 2352, 1);
    bytes[15] = 1;
    cr_assert_arr_eq(back, bytes, 2352);
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0xbe, 8, 0, 0, 0, 120, 0, 0, 1, 0x10), NULL, NULL), SCSI_CHECK, "mode 1 is expected there");
    scsi_sense(bus, 5);
    end(b);
    block_close(disc);
}

static unsigned sub_channel(struct scsi_bus *bus, uint32_t *lba)
{
    uint32_t length = 16;
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x42, 0, 0x40, 1, 0, 0, 0, 0, 16), back, &length), 0);
    *lba = be32_get(back + 8);
    return back[1];
}

Test(scsi, audio_plays_pauses_and_ends)
{
    struct scsi_bus *bus;
    struct block *disc;
    struct bench *b = mixed(&bus, &disc);
    uint32_t lba;
    cr_assert_eq(sub_channel(bus, &lba), 0x15, "nothing to tell");
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x45, 0, 0, 0, 0, 110, 0, 0, 150), NULL, NULL), 0);
    bench_step(b, NS_PER_S);
    cr_assert(sub_channel(bus, &lba) == 0x11 && lba == 110 + 75, "playing");
    cr_assert(back[5] == 0x10 && back[6] == 2 && be32_get(back + 12) == 85, "audio, track 2, its 85th sector");
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x4b), NULL, NULL), 0);
    bench_step(b, NS_PER_S);
    cr_assert(sub_channel(bus, &lba) == 0x12 && lba == 185, "paused");
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x4b, 0, 0, 0, 0, 0, 0, 0, 1), NULL, NULL), 0);
    bench_step(b, 2 * NS_PER_S);
    cr_assert(sub_channel(bus, &lba) == 0x13 && lba == 260, "done");
    cr_assert_eq(sub_channel(bus, &lba), 0x15, "and told once");
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x4b), NULL, NULL), SCSI_CHECK, "nothing to pause");
    scsi_sense(bus, 5);
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x47, 0, 0, 0, 4, 0, 0, 4, 74), NULL, NULL), 0, "00:04:00 is block 150");
    cr_assert(sub_channel(bus, &lba) == 0x11 && lba == 150);
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x4e), NULL, NULL), 0);
    cr_assert_eq(sub_channel(bus, &lba), 0x15);
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x48, 0, 0, 0, 3, 1, 0, 3, 1), NULL, NULL), 0, "track 3");
    cr_assert(sub_channel(bus, &lba) == 0x11 && lba == 250);
    cr_assert_eq(scsi_run(bus, 5, 0, CDB(0x45, 0, 0, 0, 0, 10, 0, 0, 5), NULL, NULL), SCSI_CHECK);
    cr_assert_eq(scsi_sense(bus, 5), 0x56400, "data cannot be played");
    end(b);
    block_close(disc);
}
