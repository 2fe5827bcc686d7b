/* Cue sheets and their files: the disc's sectors as a drive reads them. */
#include "block/block.h"
#include "base/bits.h"
#include "tests/support/files.h"
#include <criterion/criterion.h>

enum { RAW = 2352 };
static char *folder;

/* `count` sectors of `size` bytes, each filled with its number; raw data sectors have a header. */
static void bin(const char *name, unsigned count, unsigned size, unsigned data)
{
    static uint8_t bytes[40 * RAW];
    for (unsigned n = 0; n < count; n++) {
        memset(bytes + n * size, (int)(n + 1), size);
        if (size == RAW && n < data)
            bytes[n * size + 15] = 1;
    }
    test_write(test_path(folder, name), bytes, count * size);
}

static struct block *sheet(const char *text, struct error *err)
{
    const char *path = test_path(folder, "disc.txt");
    test_write(path, text, strlen(text));
    return block_open_cd(path, err);
}

static int byte_at(struct block *b, uint32_t lba)
{
    uint8_t raw[RAW];
    cr_assert_eq(block_read(b, (uint64_t)lba * RAW, raw, RAW), 0);
    return raw[1000];
}

Test(cue, one_file_with_data_and_audio)
{
    struct error err = { 0 };
    folder = test_folder();
    bin("a.bin", 30, RAW, 10);
    struct block *b = sheet("REM GENRE Data\r\nFILE \"a.bin\" BINARY\r\n  TRACK 01 MODE1/2352\r\n    INDEX 01 00:00:00\r\n  TRACK 02 AUDIO\r\n"
                            "    INDEX 00 00:00:10\r\n    INDEX 01 00:00:12\r\n  TRACK 03 AUDIO\r\n    INDEX 01 00:00:20\r\n", &err);
    cr_assert_not_null(b, "%s", err.text);
    cr_assert(b->disc->tracks == 3 && b->size == 30 * RAW && b->read_only);
    cr_assert(b->disc->track[0].start == 0 && b->disc->track[0].kind == DISC_MODE1);
    cr_assert(b->disc->track[1].start == 12 && b->disc->track[1].kind == DISC_AUDIO && b->disc->track[2].start == 20);
    for (unsigned n = 0; n < 30; n++)
        cr_assert_eq(byte_at(b, n), (int)n + 1);
    block_close(b);
}

Test(cue, a_file_a_track_and_gaps)
{
    struct error err = { 0 };
    uint8_t raw[RAW];
    folder = test_folder();
    bin("one.bin", 10, 2048, 0);
    bin("two two.bin", 10, RAW, 0);
    struct block *b = sheet("FILE one.bin BINARY\n TRACK 1 MODE1/2048\n INDEX 1 0:0:0\nFILE \"two two.bin\" BINARY\n TRACK 2 AUDIO\n PREGAP 00:00:05\n"
                            " INDEX 01 00:00:00\n", &err);
    cr_assert_not_null(b, "%s", err.text);
    cr_assert(b->disc->track[1].start == 15 && b->size == 25 * RAW);
    cr_assert_eq(byte_at(b, 9), 10);
    cr_assert_eq(byte_at(b, 12), 0, "the gap is silent");
    cr_assert_eq(byte_at(b, 15), 1);
    block_read(b, 3 * RAW, raw, RAW);
    cr_assert(raw[0] == 0 && raw[1] == 0xff && raw[15] == 1 && raw[14] == 0x03 && raw[13] == 0x02, "00:02:03, mode 1");
    cr_assert_neq(le32_get(raw + 16 + 2048), 0, "with an EDC");
    block_close(b);
}

Test(cue, a_pregap_in_the_file_and_sessions)
{
    struct error err = { 0 };
    folder = test_folder();
    bin("a.bin", 20, RAW, 20);
    bin("b.bin", 10, RAW, 10);
    struct block *b = sheet("FILE a.bin BINARY\nTRACK 01 MODE2/2352\nINDEX 00 00:00:00\nINDEX 01 00:00:04\nREM SESSION 02\nFILE b.bin BINARY\n"
                            "TRACK 02 MODE2/2352\nINDEX 01 00:00:00\n", &err);
    cr_assert_not_null(b, "%s", err.text);
    cr_assert_eq(byte_at(b, 0), 5, "block 0 is at index 1");
    cr_assert(b->disc->track[1].session == 2 && b->disc->track[1].start == 16 + 11400);
    cr_assert_eq(byte_at(b, 16 + 11400), 1);
    cr_assert_eq(byte_at(b, 100), 0);
    block_close(b);
}

Test(cue, bad_sheets)
{
    static const char *const bad[] = {
        "FILE \"../a.bin\" BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n", "FILE /etc/passwd BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n",
        "FILE a.wav WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n", "FILE absent.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n",
        "FILE a.bin BINARY\nTRACK 02 AUDIO\nINDEX 01 00:00:00\n", "FILE a.bin BINARY\nTRACK 01 CDG\nINDEX 01 00:00:00\n",
        "FILE a.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:99\n", "FILE a.bin BINARY\nTRACK 01 AUDIO\nINDEX 00 00:00:00\n",
        "FILE a.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:05\nTRACK 02 AUDIO\nINDEX 01 00:00:02\n", "FILE \"a.bin\nTRACK INDEX \n",
        "TRACK 01 AUDIO\nINDEX 01 00:00:00\nFILE a.bin BINARY\n", "FILE a.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 999:00:00\n",
    };
    struct error err;
    folder = test_folder();
    bin("a.bin", 30, RAW, 0);
    for (unsigned n = 0; n < ARRAY_SIZE(bad); n++) {
        err.text[0] = 0;
        cr_assert_null(sheet(bad[n], &err), "sheet %u", n);
        cr_assert(err.text[0], "sheet %u: no reason", n);
    }
    bin("plain.iso", 4, 2048, 0);
    struct block *b = block_open_cd(test_path(folder, "plain.iso"), &err);
    cr_assert(b && !b->disc && b->size == 4 * 2048, "anything else is an ISO image");
    block_close(b);
}
